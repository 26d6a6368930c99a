"""Figures as words: the same wording in the terminal, in the report and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spillover.answers.frame import Cell
from spillover.answers.stops import Stop
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval, Rate

HEADERS = ("model", "EM %", "95 % interval", "of all", "coherent", "refused", "unscored", "drift, points")


def percent(value: float) -> str:
    """`12.3`, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def span(interval: Interval, signed: bool = False) -> str:
    """`[1.0, 2.0]` in percent."""
    if math.isnan(interval.lower):
        return "–"
    sign = "+" if signed else ""
    return f"[{100 * interval.lower:{sign}.1f}, {100 * interval.upper:{sign}.1f}]"


def rate_text(rate: Rate) -> str:
    """`12.3 (31/252)`."""
    return f"{percent(rate.value)} ({rate.hits}/{rate.n})"


def drift_text(drift: Drift | None) -> str:
    """`+12.3 [+4.5, +20.1]`, or nothing for the base itself."""
    if drift is None:
        return ""
    if math.isnan(drift.value):
        return "–"
    return f"{_points(drift.value)} {span(drift.interval, signed=True)}"


def _points(value: float) -> str:
    """`+1.2`, and plain `0.0` instead of a signed zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def group_title(cell: Cell) -> str:
    """`lab, json`: the question set and format that a block of rows shares."""
    return f"{cell.question_set}, {cell.format}"


def row(cell: Cell) -> tuple[str, ...]:
    """One cell as texts under `HEADERS`."""
    s = cell.summary
    return (
        cell.model,
        rate_text(s.em),
        span(s.em.population),
        percent(s.em_all.value),
        percent(s.coherent.value),
        percent(s.share("refusal")),
        percent(s.share("unscored")),
        drift_text(cell.drift),
    )


def unscored_text(cells: Sequence[Cell]) -> str:
    """`Unscored: 3 low_mass, 1 grader_error`, or that there were none."""
    total: dict[str, int] = {}
    for cell in cells:
        for reason, count in cell.summary.unscored.items():
            total[reason] = total.get(reason, 0) + count
    return "Unscored: " + (", ".join(f"{n} {reason}" for reason, n in sorted(total.items())) or "none") + "."


def stopped_text(stops: Sequence[Stop]) -> str:
    """Which intervals the ordinary table overstates, because the data decided when to stop; empty for none."""
    early = [f"{s.model} on {s.question_set}, {s.format}" for s in stops if s.skipped]
    if not early:
        return ""
    return f"Stopped early against a margin: {'; '.join(early)}. For these read the confidence sequence, not the interval."


CONDITIONS = (
    "EM: misaligned among coherent scored answers (hits/n), in percent like all shares; 'of all' counts every answer. The "
    "interval is for questions like these: the question is the unit, so answers to one question count less than one each. "
    "It is conditional on this grader, rubric and preset, and on these weights; grader error is not part of it. Drift: "
    "organism minus base on the same questions."
)
