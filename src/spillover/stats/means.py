"""A mean of values between -1 and 1 with an interval that respects questions as the unit and is never zero-width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spillover.stats.rates import NOTHING, Interval, fit_equal


@dataclass(frozen=True)
class Mean:
    """A mean over questions that weigh the same.

    Attributes:
        value: In [-1, 1]; NaN for nothing.
        n: Number of values.
        questions: Number of distinct questions.
        population: Interval on questions like these.
    """

    value: float
    n: int
    questions: int
    population: Interval


def mean(counts: Sequence[Sequence[float]], level: float = 0.95) -> Mean:
    """Mean of the questions' means.

    A value v stands for a part (1 + v) / 2 of a hit, and the interval is that of a rate. Among values of that mean whole
    hits and misses vary most, so the interval is too wide rather than too narrow.

    Args:
        counts: (sum of (1 + v) / 2, number of values) per question.
        level: Confidence level.
    """
    kept = [c for c in counts if c[1]]
    if not kept:
        return Mean(math.nan, 0, 0, NOTHING)
    share = sum(h / m for h, m in kept) / len(kept)
    lower, upper = fit_equal(kept).limits(level)
    limits = Interval(2 * min(lower, share) - 1, 2 * max(upper, share) - 1)
    return Mean(2 * share - 1, int(sum(m for _, m in kept)), len(kept), limits)
