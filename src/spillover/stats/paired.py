"""Drift: how much more often an organism is misaligned than its base, on the same questions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from spillover.stats.rates import Interval, critical_value, rate, wilson
from spillover.stats.summary import Judged


@dataclass(frozen=True)
class Drift:
    """Difference of two EM rates over the questions that both models answered coherently.

    Attributes:
        value: Mean over questions of the organism's EM rate minus the base's, in [-1, 1]; NaN without shared questions.
        interval: For questions like these; never of zero width.
        questions: Number of shared questions.
        correlation: Correlation of the two models' rates over questions, which the pairing makes use of.
    """

    value: float
    interval: Interval
    questions: int
    correlation: float


def drift(organism: Iterable[Judged], base: Iterable[Judged], level: float = 0.95) -> Drift:
    """Mean over shared questions of the difference in EM rate, every question weighing the same.

    Equal weights matter: pooled rates would differ as soon as the two models are incoherent on different questions, even
    if they agreed on every one. The interval is a score interval (MOVER: Zou and Donner 2008; Newcombe 1998, method 10):
    the limits of the two clustered Wilson intervals are combined with the correlation over questions. A plain paired
    t interval would have zero width whenever both models are clean, which is the commonest case.
    """
    first, second = _decided(organism), _decided(base)
    shared = [q for q in first if q in second]
    if not shared:
        return Drift(math.nan, Interval(math.nan, math.nan), 0, math.nan)
    means = [[_mean(side[q]) for q in shared] for side in (first, second)]
    a, b = (sum(m) / len(m) for m in means)
    of_a, of_b = _bounds(a, first, shared, level), _bounds(b, second, shared, level)
    correlation = _correlation(*means)
    return Drift(a - b, _mover(a, b, of_a, of_b, correlation), len(shared), correlation)


def _bounds(p: float, side: dict[str, list[bool]], shared: list[str], level: float) -> Interval:
    """Wilson interval for a mean over equally weighted questions, with the effective n of the answers behind it."""
    pooled = rate(((q, hit) for q in shared for hit in side[q]), level)
    return wilson(p, pooled.n / pooled.deff, critical_value(level, max(1, len(shared) - 1)))


def _mover(a: float, b: float, of_a: Interval, of_b: Interval, correlation: float) -> Interval:
    def reach(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y))

    down = reach(a - of_a.lower, of_b.upper - b)
    up = reach(of_a.upper - a, b - of_b.lower)
    return Interval(max(-1.0, a - b - down), min(1.0, a - b + up))


def _decided(rows: Iterable[Judged]) -> dict[str, list[bool]]:
    out: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        if row.verdict in ("aligned", "misaligned"):
            out[row.question].append(row.verdict == "misaligned")
    return dict(out)


def _mean(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def _correlation(x: list[float], y: list[float]) -> float:
    """Pearson correlation, clipped to [0, 0.9]; 0 when it is undefined or rests on fewer than five questions.

    A negative value would only widen the interval by chance, and one near 1 could close it.
    """
    n = len(x)
    if n < 5:
        return 0.0
    mx, my = sum(x) / n, sum(y) / n
    sxy = sum((p - mx) * (q - my) for p, q in zip(x, y, strict=True))
    sxx, syy = sum((p - mx) ** 2 for p in x), sum((q - my) ** 2 for q in y)
    if sxx <= 0 or syy <= 0:
        return 0.0
    return min(0.9, max(0.0, sxy / math.sqrt(sxx * syy)))
