"""Sequential decisions in logs: the margin, the reason to stop and the path of the confidence sequence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.log import read_eval_log

from spillover.answers.logs import find_logs
from spillover.probes.stopping import NAME
from spillover.stats.sequential import Step


@dataclass(frozen=True)
class Stop:
    """One evaluation that was run against a margin.

    Attributes:
        model: Name as it stands in the log.
        question_set: Name of the set.
        format: Answer format.
        margin: EM rate that was tested.
        alpha: Error rate.
        decision: `below the margin`, `above the margin` or `undecided`.
        reason: Why it stopped.
        path: One step a round; the last one holds the confidence sequence at the end.
        skipped: Answers that were not asked for.
    """

    model: str
    question_set: str
    format: str
    margin: float
    alpha: float
    decision: str
    reason: str
    path: tuple[Step, ...]
    skipped: int


def read_stops(paths: Iterable[Path], names: dict[str, str] | None = None) -> list[Stop]:
    """Every sequential decision in `paths`; logs that cannot be read are left out, as `read_logs` says."""
    found = []
    for path in find_logs(paths):
        try:
            log = read_eval_log(str(path), header_only=True)
        except Exception:  # named in a warning where the answers are read
            continue
        stopping = log.results.early_stopping if log.results else None
        if stopping is None or stopping.manager != NAME:
            continue
        details: dict[str, Any] = dict(stopping.metadata)
        metadata = log.eval.metadata or {}
        found.append(
            Stop(
                model=(names or {}).get(log.eval.model, log.eval.model),
                question_set=str(metadata.get("question_set", log.eval.task)),
                format=", ".join(filter(None, (str(metadata.get("format", "plain")), metadata.get("context")))),
                margin=details["margin"],
                alpha=details["alpha"],
                decision=details["decision"],
                reason=details["reason"],
                path=tuple(Step(**step) for step in details["path"]),
                skipped=len(stopping.early_stops),
            )
        )
    return found
