"""Under which condition a question was asked: fields, never one string; and the cells that conditions make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

CONDITION = ("format", "context", "wrap", "method", "world", "setting")
"""Columns: answer format; name of the system line; setting before the question; how the answer was got (`ending`, `letter`)
where a probe has several ways; where tools act, if not in memory; whatever else a probe declares, as `name value`."""


@dataclass(frozen=True)
class Cell:
    """Answers that are of one kind: one probe, one question set, one condition. What differs in these is never pooled."""

    probe: str
    question_set: str
    format: str = "plain"
    context: str = ""
    wrap: str = ""
    method: str = ""
    world: str = ""
    setting: str = ""

    @property
    def condition(self) -> str:
        """What is out of the ordinary, for a title."""
        shown = (self.format if self.format != "plain" else "", self.context, self.wrap, self.world, self.setting)
        return ", ".join(part for part in shown if part)


CELL = tuple(f.name for f in fields(Cell))
"""Columns that tell cells apart."""


def titles(cells: Iterable[Cell]) -> dict[Cell, str]:
    """Shortest titles that tell cells apart: the question set and the method only where a probe has several."""
    known = list(dict.fromkeys(cells))
    out = {}
    for cell in known:
        same = [c for c in known if c.probe == cell.probe]
        parts = [cell.probe, cell.condition]
        if len({(c.question_set, c.condition) for c in same}) < len(same):
            parts.append(cell.method)
        title = ", ".join(filter(None, parts))
        out[cell] = f"{title} ({cell.question_set})" if len({c.question_set for c in same}) > 1 else title
    return out


def with_questions(probe: str, question_set: str) -> str:
    """A probe with its question set; a table that somebody else judged has but one name for both."""
    return probe if question_set == probe else f"{probe} ({question_set})"


def describe_condition(
    *,
    format: str = "plain",
    context: str | None = None,
    wrap: str | None = None,
    settings: Mapping[str, Any],
    usual: Mapping[str, Any],
) -> dict[str, str]:
    """A condition for a log's metadata.

    Args:
        format: Answer format.
        context: Name of the system line.
        wrap: Setting before the question.
        settings: Arguments of the probe that tell conditions apart; `world` and `method` have columns of their own.
        usual: Their ordinary values, which need no mention.
    """
    given = {k: str(v) for k, v in settings.items() if v not in (usual.get(k), None)}
    own = {k: given.pop(k, "") for k in ("world", "method")}
    setting = ", ".join(f"{k} {v}" for k, v in given.items())
    return {"format": format, "context": context or "", "wrap": wrap or "", **own, "setting": setting}
