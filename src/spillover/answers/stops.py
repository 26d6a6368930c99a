"""Sequential decisions in logs: the margin, the reason to stop and the path of the confidence sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spillover.answers.condition import CONDITION, Cell
from spillover.answers.files import Loaded
from spillover.stats.sequential import Step

STOP_AT_MARGIN = "spillover/stop_at_margin"
"""Name of our early-stopping manager in a log."""


@dataclass(frozen=True)
class Stop:
    """One evaluation that was run against a margin.

    Attributes:
        model: Who answered.
        cell: What was asked.
        margin: Rate that was tested.
        alpha: Error rate.
        decision: `below the margin`, `above the margin` or `undecided`.
        reason: Why it stopped.
        path: One step a round; the last one holds the confidence sequence at the end.
        skipped: Answers that were not asked for.
    """

    model: str
    cell: Cell
    margin: float
    alpha: float
    decision: str
    reason: str
    path: tuple[Step, ...]
    skipped: int


def stop_of(log: Loaded, model: str) -> Stop | None:
    """The sequential decision in the log of a model, if it holds one."""
    stopping = log.header.results.early_stopping if log.header and log.header.results else None
    if log.header is None or stopping is None or stopping.manager != STOP_AT_MARGIN:
        return None
    details: dict[str, Any] = dict(stopping.metadata)
    condition = {k: str(v) for k, v in (log.about.get("condition") or {}).items() if k in CONDITION}
    return Stop(
        model=model,
        cell=Cell(str(log.about["probe"]), str(log.about.get("question_set")), **condition),
        margin=details["margin"],
        alpha=details["alpha"],
        decision=details["decision"],
        reason=details["reason"],
        path=tuple(Step(**step) for step in details["path"]),
        skipped=len(stopping.early_stops),
    )
