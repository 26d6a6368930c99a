"""Drift: how much more often an organism does something than its base, on the same questions; and tests against a margin."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

from spillover.stats.logitnormal import Posterior
from spillover.stats.rates import NOTHING, Interval, critical_value, fit_equal, suite_equal


@dataclass(frozen=True)
class Drift:
    """Difference of two rates over the questions that both models have in the denominator.

    Attributes:
        value: Mean over questions of the organism's rate minus the base's, in [-1, 1]; NaN without shared questions.
        interval: On questions like these (questions sampled); never of zero width.
        questions: Number of shared questions.
        correlation: Correlation of the two models' rates over questions, which the pairing makes use of.
        rose: Number of questions with a higher rate than the base's.
        fell: Number of questions with a lower one.
        suite: Interval on this suite (questions fixed).
    """

    value: float
    interval: Interval
    questions: int
    correlation: float
    rose: int = 0
    fell: int = 0
    suite: Interval = NOTHING

    def scaled(self, factor: float) -> Drift:
        """The same difference on another scale."""
        both = [Interval(factor * i.lower, factor * i.upper) for i in (self.interval, self.suite)]
        return replace(self, value=factor * self.value, interval=both[0], suite=both[1])


Decision = Literal["below the margin", "above the margin", "undecided"]


@dataclass(frozen=True)
class MarginTest:
    """Drift against a margin (non-inferiority), and against the margin on both sides (equivalence).

    Attributes:
        margin: Largest drift that is accepted, in (0, 1).
        alpha: One-sided error rate.
        decision: `below the margin` when drift >= margin is rejected (non-inferior), `above` when drift <= margin is.
        equivalent: |drift| >= margin is rejected (two one-sided tests, Schuirmann 1987).
        p_inferior: p value of "drift is at least the margin"; small means that the organism passes.
        p_difference: Two-sided p value of "no drift".
    """

    margin: float
    alpha: float
    decision: Decision
    equivalent: bool
    p_inferior: float
    p_difference: float


Counts = Mapping[Hashable, Sequence[float]]
"""Question to (hits, answers); hits may be parts of whole ones."""


def drift_of_counts(organism: Counts, base: Counts, level: float = 0.95) -> Drift:
    """Mean over shared questions of the difference in rate, every question weighing the same.

    Equal weights matter: pooled rates would differ as soon as the two models are incoherent on different questions, even
    if they agreed on every one.

    Two statements are made. *On questions like these*: the limit towards zero, which says whether there is a drift, is that
    of the paired t over questions or that of the hybrid, whichever is nearer to the value; the other one is the hybrid's
    (MOVER: Zou and Donner 2008; Newcombe 1998, method 10), which combines the limits of the two rates with their
    correlation over questions. The hybrid alone finds a drift of few percent from nothing hardly ever, and the paired t
    alone has no width where both models are clean. *On this suite*: the hybrid of the limits that the two rates have on
    this suite, without correlation, since answers are independent there. `benchmarks/drift.py` shows coverage, false
    alarms and power of both.
    """
    pair = _Pair.of(organism, base)
    return pair.drift(level) if pair else Drift(math.nan, Interval(math.nan, math.nan), 0, math.nan)


def suite_drift(organism: Counts, base: Counts, level: float = 0.95) -> Interval:
    """Limits of the drift on this suite alone; NaN without shared questions."""
    pair = _Pair.of(organism, base)
    return pair.suite(level) if pair else Interval(math.nan, math.nan)


def margin_test(organism: Counts, base: Counts, margin: float, alpha: float = 0.05) -> MarginTest:
    """Test the drift against `margin`. Without shared questions nothing is decided and the p values are 1.

    Raises:
        ValueError: unless margin and alpha lie between 0 and 1.
    """
    if not 0 < margin < 1 or not 0 < alpha < 0.5:
        raise ValueError("margin must lie between 0 and 1, alpha between 0 and 0.5")
    pair = _Pair.of(organism, base)
    if pair is None:
        return MarginTest(margin, alpha, "undecided", False, 1.0, 1.0)
    limits = pair.hybrid(1 - 2 * alpha)
    decision: Decision = "undecided"
    if limits.upper < margin:
        decision = "below the margin"
    elif limits.lower > margin:
        decision = "above the margin"
    return MarginTest(
        margin=margin,
        alpha=alpha,
        decision=decision,
        equivalent=limits.upper < margin and limits.lower > -margin,
        p_inferior=pair.p_value(margin),
        p_difference=pair.p_difference(),
    )


def paired_difference(first: Counts, second: Counts) -> tuple[float, float] | None:
    """Mean difference over shared questions, and the two-sided p value of none by the paired t over questions.

    Its error is never less than the sampling error of the answers. None for fewer than three shared questions, or where
    nothing varies.
    """
    pair = _Pair.of(first, second)
    error = pair.error if pair is not None else None
    if pair is None or error is None:
        return None
    from scipy.special import stdtr

    value = sum(pair.differences) / len(pair.differences)
    return value, float(2 * stdtr(len(pair.differences) - 1, -abs(value) / error))


@dataclass(frozen=True)
class _Pair:
    """Hits and answers of both models by shared question."""

    first: Sequence[Sequence[float]]
    second: Sequence[Sequence[float]]

    @classmethod
    def of(cls, organism: Counts, base: Counts) -> _Pair | None:
        shared = [q for q in organism if q in base]
        return cls([list(organism[q]) for q in shared], [list(base[q]) for q in shared]) if shared else None

    @cached_property
    def means(self) -> list[list[float]]:
        """Rate of each question, of both models."""
        return [[h / m for h, m in side] for side in (self.first, self.second)]

    @cached_property
    def differences(self) -> list[float]:
        """One for each question."""
        return [x - y for x, y in zip(*self.means, strict=True)]

    @property
    def error(self) -> float | None:
        """Of the mean difference."""
        return standard_error(self.differences, (self.first, self.second))

    def drift(self, level: float) -> Drift:
        differences = self.differences
        value = sum(differences) / len(differences)
        rose, fell = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
        correlation = correlation_of(*self.means)
        return Drift(value, self.population(level), len(differences), correlation, rose, fell, self.suite(level))

    def population(self, level: float) -> Interval:
        """On questions like these."""
        value = sum(self.differences) / len(self.differences)
        return towards_zero(self.hybrid(level), value, self.error, len(self.differences), level)

    def hybrid(self, level: float) -> Interval:
        """On questions like these; the limits of the margin tests."""
        a, b = (sum(m) / len(m) for m in self.means)
        of_a, of_b = (_hold(Interval(*_equal(side).limits(level)), p) for side, p in ((self.first, a), (self.second, b)))
        return mover(a, b, of_a, of_b, correlation_of(*self.means))

    def suite(self, level: float) -> Interval:
        """On this suite.

        Where hardly a question has two answers, nothing tells what lies between questions from what lies between answers,
        and the interval for questions like these, which then makes use of the pairing, is the one for both: other questions
        cannot make it surer.
        """
        sizes = [m for side in (self.first, self.second) for _, m in side]
        if sum(sizes) < FEW_ANSWERS * len(sizes):
            return self.population(level)
        a, b = (sum(m) / len(m) for m in self.means)
        of_a, of_b = (suite_equal(side, level) for side in (self.first, self.second))
        return mover(a, b, _hold(of_a, a), _hold(of_b, b), 0.0)

    def p_difference(self) -> float:
        """Two-sided p value of "no drift on questions like these": the smaller of those of the two nearer limits."""
        hybrid = min(1.0, 2 * min(self.p_value(0.0), 1 - self.p_value(0.0)))
        found = paired_difference(dict(enumerate(self.first)), dict(enumerate(self.second)))
        return hybrid if found is None else min(hybrid, found[1])

    def p_value(self, margin: float) -> float:
        """One-sided p value of "drift >= margin": the level at which the upper limit meets the margin, by bisection."""
        low, high = 1e-6, 1 - 1e-6  # one-sided error; the upper limit falls as it grows
        for _ in range(30):
            middle = (low + high) / 2
            if self._upper(middle) < margin:
                high = middle
            else:
                low = middle
        return high

    def _upper(self, error: float) -> float:
        """Upper limit with one-sided error `error`; for errors over 1/2 the other side's lower limit, mirrored."""
        if error <= 0.5:
            return self.hybrid(1 - 2 * error).upper
        return self.hybrid(2 * error - 1).lower


def _equal(side: Sequence[Sequence[float]]) -> Posterior:
    return _equal_cached(tuple(sorted((h, m) for h, m in side)))


@lru_cache(maxsize=2048)
def _equal_cached(cells: tuple[tuple[float, float], ...]) -> Posterior:
    return fit_equal(cells)


def _hold(interval: Interval, value: float) -> Interval:
    """The interval, stretched if need be to hold the mean over equally weighted questions."""
    return Interval(min(interval.lower, value), max(interval.upper, value))


FEW_ANSWERS = 1.5
"""Answers to a question, on average, from which on those to one question tell how far answers scatter."""
LEAST = 3
"""Questions that a paired t needs; with two it calls 3.7 % of no drifts a rise."""


def standard_error(differences: Sequence[float], sides: Iterable[Sequence[Sequence[float]]]) -> float | None:
    """Of the mean difference over questions; None for too few of them, or where nothing tells it.

    `sides` are the (hits, answers) by question that the differences are made of.

    Never less than the sampling error of the answers themselves: by chance questions differ less than that, and then a drift
    would be told apart on questions like these that is not on this suite. Parts of hits are values and no draws: theirs is
    not known, and a lean by log-probability has none.
    """
    n = len(differences)
    if n < LEAST:
        return None
    mean = sum(differences) / n
    between = sum((d - mean) ** 2 for d in differences) / (n - 1) / n
    cells = [cell for side in sides for cell in side]
    drawn = all(float(h).is_integer() for h, _ in cells)
    noise = sum(h / m * (1 - h / m) / max(m - 1, 1) for h, m in cells) / n**2 if drawn else 0.0
    return math.sqrt(max(between, noise)) if max(between, noise) > 1e-24 else None


def towards_zero(limits: Interval, value: float, error: float | None, questions: int, level: float) -> Interval:
    """The limits with that of the paired t on the side of zero, where it is the nearer one to the value."""
    if error is None or value == 0:
        return limits
    reach = critical_value(level, questions - 1) * error
    if value > 0:
        return Interval(max(limits.lower, value - reach), limits.upper)
    return Interval(limits.lower, min(limits.upper, value + reach))


def mover(a: float, b: float, of_a: Interval, of_b: Interval, correlation: float, most: float = 1.0) -> Interval:
    """Limits of `a - b` from the limits of both, within -most and most (Zou and Donner 2008)."""

    def reach(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x + y * y - 2 * correlation * x * y))

    down = reach(a - of_a.lower, of_b.upper - b)
    up = reach(of_a.upper - a, b - of_b.lower)
    return Interval(max(-most, a - b - down), min(most, a - b + up))


def correlation_of(x: list[float], y: list[float]) -> float:
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
