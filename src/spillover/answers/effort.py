"""What judging a log took: ratings that were asked for, known, failed, or no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from inspect_ai.log import EvalLog

from spillover.answers.answer_rows import UNREACHED


class Effort(NamedTuple):
    """Readings of rubrics that judging took.

    Attributes:
        asked: The grader was asked for.
        cached: Were known.
        failed: The grader gave no reply; they count as asked.
        why: What became of the first of them.
        unread: Replies that were no verdict.
        reason: Of the first of them.
    """

    asked: int
    cached: int
    failed: int
    why: str = ""
    unread: int = 0
    reason: str = ""

    def __add__(self, other: object) -> Effort:
        if not isinstance(other, Effort):
            return NotImplemented
        return Effort(
            self.asked + other.asked,
            self.cached + other.cached,
            self.failed + other.failed,
            self.why or other.why,
            self.unread + other.unread,
            self.reason or other.reason,
        )


def effort_of(log: EvalLog, grader: str) -> Effort:
    """Of the newest score of every answer by this grader."""
    asked = cached = failed = unread = 0
    why = told = ""
    for sample in log.samples or []:
        mine = [s.metadata for s in (sample.scores or {}).values() if s.metadata and grader in names_of(s.metadata)]
        for reading in (mine[-1].get("readings") or {}).values() if mine else ():
            cached += bool(reading["cached"])
            asked += not reading["cached"] and reading["mode"] != "auto"  # which is of an answer that no grader needs to see
            reason = str(reading["reason"] or "")
            if reading["mode"] != "auto" and reason and UNREACHED not in reason:
                unread, told = unread + 1, told or reason
            if UNREACHED in reason:
                failed += 1
                why = why or f"{str(reading['reason']).partition(': ')[2]}: {' '.join(map(str, reading['replies']))[:200]}"
    return Effort(asked, cached, failed, why, unread, told)


def names_of(details: Mapping[str, Any]) -> tuple[object, object]:
    """What a score's grader may be known by: its identity, or its name alone in older logs."""
    return details.get("grader_identity"), (details.get("grader") or {}).get("name")
