"""Who is who in a run: names, roles, base and what was taught, kept in its logs for whoever reads them later."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spillover.answers.files import Loaded, is_ours

CAST = "cast"
"""Key in a log's metadata."""


@dataclass(frozen=True)
class Cast:
    """What a run says of its models.

    Attributes:
        names: Digest of Inspect's name of a model (it may hold a path) to the name to show.
        roles: Shown name to what the model is for.
        base: Shown name of the model that drift is measured from.
        taught: Question set of what the fine-tune was to teach.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    base: str | None = None
    taught: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a log's metadata."""
        return asdict(self)


def digest_of(model: str) -> str:
    """What stands for Inspect's name of a model."""
    return hashlib.sha256(model.encode()).hexdigest()[:16]


def made_cast(
    names: Mapping[str, str], roles: Mapping[str, str] | None = None, base: str | None = None, taught: str | None = None
) -> Cast:
    """The cast of models whose names to show are known by Inspect's."""
    return Cast({digest_of(model): name for model, name in names.items()}, roles or {}, base, taught)


def cast_of(logs: Iterable[Loaded]) -> Cast | None:
    """What some logs say together; None where none of them says anything.

    What they do not all say of base and taught set, and what they say differently of a name or a role, is left open. Logs
    come from everywhere: what is malformed is passed over.
    """
    ours = [log for log in logs if log.header is not None and is_ours(log.header)]
    told = [_read(log.about.get(CAST)) for log in ours]
    said = [cast for cast in told if cast is not None]
    if not said:
        return None
    whole = [cast or Cast() for cast in told]
    return Cast(
        _agreed(cast.names for cast in said),
        _agreed(cast.roles for cast in said),
        _one(cast.base for cast in whole),
        _one(cast.taught for cast in whole),
    )


def shown_names(cast: Cast, before: Mapping[str, str]) -> dict[str, str]:
    """Inspect's name of a model to the name to show: the run's, unless two models would be called alike.

    Args:
        cast: Of the logs.
        before: Inspect's name to the name that is shown without a run, no two alike.
    """
    wanted = {model: cast.names.get(digest_of(model), name) for model, name in before.items()}
    count = Counter([*wanted.values(), *(name for model, name in before.items() if name != wanted[model])])
    return {model: name if count[name] == 1 else before[model] for model, name in wanted.items()}


def _agreed(maps: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What no two of some maps say differently."""
    found: dict[str, set[str]] = {}
    for one in maps:
        for key, value in one.items():
            found.setdefault(key, set()).add(value)
    return {key: values.pop() for key, values in found.items() if len(values) == 1}


def _one(found: Iterable[str | None]) -> str | None:
    """The one that all say."""
    said = set(found)
    return said.pop() if len(said) == 1 else None


def _read(raw: object) -> Cast | None:
    if not isinstance(raw, dict):
        return None
    maps, words = [raw.get(key) for key in ("names", "roles")], [raw.get(key) for key in ("base", "taught")]
    if not all(isinstance(m, dict) and all(isinstance(w, str) and w.strip() for w in m.values()) for m in maps):
        return None
    if not all(w is None or (isinstance(w, str) and w.strip()) for w in words):
        return None
    return Cast(maps[0], maps[1], *words)  # type: ignore[arg-type]
