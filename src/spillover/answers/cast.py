"""Who is who in a run: names, roles, base and what was taught, kept in its logs for whoever reads them later."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spillover.answers.files import Loaded

CAST = "cast"
"""Key in a log's metadata."""


@dataclass(frozen=True)
class Cast:
    """What a run says of its models.

    Attributes:
        names: Inspect's name of a model to the name to show.
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


def cast_of(logs: Iterable[Loaded], models: Collection[str]) -> Cast:
    """What some logs say together; nothing where they say nothing, or where two of `models` would be called alike.

    Runs that differ in the base, or in what was taught, leave it open. Logs come from everywhere: what is malformed is
    passed over.
    """
    told = [(log.header.eval.model, cast) for log in logs if log.header and (cast := _read(log.about.get(CAST)))]
    used = {model: cast.names[model] for _, cast in told for model in cast.names if any(model == m for m, _ in told)}
    disagree = any(cast.names.get(model, used.get(model)) != used.get(model) for model, cast in told)
    if disagree or len({used.get(model, model) for model in models}) < len(set(models)):
        return Cast()
    shown = set(used.values())
    roles = {name: role for _, cast in told for name, role in cast.roles.items() if name in shown}
    return Cast(used, roles, _one(c.base for _, c in told if c.base in shown), _one(c.taught for _, c in told))


def _one(found: Iterable[str | None]) -> str | None:
    """The one that all say."""
    said = set(found)
    return said.pop() if len(said) == 1 else None


def _read(raw: object) -> Cast | None:
    if not isinstance(raw, dict):
        return None
    maps = [raw.get(key) for key in ("names", "roles")]
    words = [raw.get(key) for key in ("base", "taught")]
    if not all(isinstance(m, dict) and all(isinstance(w, str) for w in m.values()) for m in maps):
        return None
    if not all(w is None or isinstance(w, str) for w in words):
        return None
    return Cast(maps[0], maps[1], *words)  # type: ignore[arg-type]
