"""Drift of a gap: how much more than the base an organism tells two conditions apart, on the same questions."""

from __future__ import annotations

import math

from spillover.stats.paired import (
    FEW_ANSWERS,
    Counts,
    Drift,
    correlation_of,
    drift_of_counts,
    mover,
    standard_error,
    towards_zero,
)
from spillover.stats.rates import Interval


def gap_drift(organism: tuple[Counts, Counts], base: tuple[Counts, Counts], level: float = 0.95) -> Drift:
    """Difference of two gaps, each the rate under one condition minus that under another.

    On questions like these: MOVER of the two gaps' own limits with their correlation over questions, and towards zero the
    paired t over the questions' differences of differences, if it is nearer; on this suite: MOVER without correlation, or
    with fewer than 1.5 answers to a question the same interval. As `drift_of_counts` makes it of two rates.

    Args:
        organism: Question to (hits, answers) under either condition.
        base: Of the base.
        level: Of the intervals.

    Returns:
        With a value in [-2, 2] over the questions that both models answered under both conditions; NaN without any.
    """
    sides = (*organism, *base)
    shared = [q for q in sides[0] if all(q in side for side in sides[1:])]
    if not shared:
        return Drift(math.nan, Interval(math.nan, math.nan), 0, math.nan)
    cells = [{q: side[q] for q in shared} for side in sides]
    mine, its = drift_of_counts(cells[0], cells[1], level), drift_of_counts(cells[2], cells[3], level)
    rates = [[h / n for h, n in side.values()] for side in cells]
    gaps = [[x - y for x, y in zip(rates[i], rates[i + 1], strict=True)] for i in (0, 2)]
    differences = [x - y for x, y in zip(*gaps, strict=True)]
    value, together = mine.value - its.value, correlation_of(*gaps)
    limits = mover(mine.value, its.value, mine.interval, its.interval, together, most=2.0)
    error = standard_error(differences, [list(side.values()) for side in cells])
    interval = towards_zero(limits, value, error, len(shared), level)
    few = sum(n for side in cells for _, n in side.values()) < FEW_ANSWERS * 4 * len(shared)
    return Drift(
        value=value,
        interval=interval,
        questions=len(shared),
        correlation=together,
        rose=sum(d > 0 for d in differences),
        fell=sum(d < 0 for d in differences),
        suite=interval if few else mover(mine.value, its.value, mine.suite, its.suite, 0.0, most=2.0),
    )
