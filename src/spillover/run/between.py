"""Models of a study that lie between two others: made from their adapters once these are there, and named by them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spillover.models.weights import weights_digest
from spillover.run.plan import digest
from spillover.run.study import Study


def between_all(study: Study, adapters: Mapping[str, Path | None], store: Path) -> dict[str, Path]:
    """Model to the folder of its adapter, of those that lie between two.

    Args:
        study: Whose models.
        adapters: Folders of all others; None for the base.
        store: Where they are kept; one that is there is used again.

    Raises:
        SpilloverError: if two ends are of different bases or adapt different modules.
    """
    out: dict[str, Path] = {}
    for model in study.models:
        if model.between is None or model.at is None:
            continue
        ends: list[Any] = [study.end(model, name) for name in model.between]
        one, other = (adapters[end.name] for end in ends)
        assert other is not None
        key = digest([weights_digest(p) if p else None for p in (one, other)], float(model.at))
        folder = store / f"between-{key}"
        if not folder.is_dir():
            from spillover.mechanism.combine import between
            from spillover.mechanism.files import AdapterFile

            between(AdapterFile(str(one)) if one else None, AdapterFile(str(other)), float(model.at), folder)
        out[model.name] = folder
    return out


def compared(study: Study, folders: Mapping[str, Path]) -> tuple[list[tuple[str, Path]], dict[tuple[str, str], str]]:
    """Adapters whose updates are compared, and pair to its group: one seed across arms, neighbouring seeds within one.

    Args:
        study: With `geometry`.
        folders: Model to the folder of its adapter.
    """
    arms = {name: [m for m in study.arms[name] if m.name in folders] for name in study.geometry}
    named = [(m.name, folders[m.name]) for its in arms.values() for m in its]
    groups: dict[tuple[str, str], str] = {}
    names = list(arms)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            for x, y in ((x, y) for x in arms[one] for y in arms[other] if x.seed == y.seed):
                groups[x.name, y.name] = f"{one} – {other}"
        for x, y in zip(arms[one], arms[one][1:], strict=False):
            groups[x.name, y.name] = f"{one}, two seeds"
    return named, groups
