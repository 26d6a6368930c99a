"""A rate with an interval that respects questions as the unit and is never zero-width.

Two statements are made and named apart (Miller 2024, arXiv 2411.00640, on clustered errors; Wilson 1927):

* *on this suite*: the questions are fixed and only the sampling of answers is random. Wilson on all answers.
* *on questions like these*: the questions are a sample too. Wilson on the effective number of answers, n / deff with
  deff = 1 + (m - 1) * ICC, and a Student-t critical value with (questions - 1) degrees of freedom.

With few hits the intra-class correlation (ICC) cannot be estimated, and at zero hits the usual plug-in pretends that
all answers are independent. The ICC is therefore shrunk towards `PRIOR_ICC` with the weight of `PRIOR_HITS` hits.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache

PRIOR_ICC = 0.1
PRIOR_HITS = 8.0


@dataclass(frozen=True)
class Interval:
    """A two-sided interval for a rate or a difference of rates; NaN when nothing was observed."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Rate:
    """A rate among `n` answers to `questions` questions.

    Attributes:
        hits: Number of answers that count.
        n: Number of answers in the denominator.
        questions: Number of distinct questions in the denominator.
        value: hits / n, NaN for n = 0.
        suite: Interval on this suite (questions fixed).
        population: Interval on questions like these (questions sampled).
        icc: Shrunk intra-class correlation that `population` uses.
        deff: Design effect, n / effective n, >= 1.
    """

    hits: int
    n: int
    questions: int
    value: float
    suite: Interval
    population: Interval
    icc: float
    deff: float


@lru_cache(maxsize=512)
def critical_value(level: float, df: int | None) -> float:
    """Two-sided critical value: normal for df None, else Student's t."""
    from scipy.stats import norm, t

    tail = 1 - (1 - level) / 2
    return float(norm.ppf(tail) if df is None else t.ppf(tail, df))


def wilson(p: float, n: float, critical: float) -> Interval:
    """Wilson score interval for a proportion `p` of `n` (possibly effective) trials; NaN bounds for n <= 0."""
    if n <= 0 or math.isnan(p):
        return Interval(math.nan, math.nan)
    square = critical * critical
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = critical * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def anova_icc(hits: list[int], sizes: list[int]) -> float:
    """Intra-class correlation of binary outcomes by one-way ANOVA (Fleiss 1981, unequal group sizes), clipped to [0, 1].

    Returns:
        NaN when it cannot be estimated: fewer than two questions, one answer each, or no variation at all.
    """
    n, k = sum(sizes), len(sizes)
    total = sum(hits)
    if k < 2 or n <= k or total in (0, n):
        return math.nan
    p = total / n
    between = sum(m * (h / m - p) ** 2 for h, m in zip(hits, sizes, strict=True)) / (k - 1)
    within = sum(h * (1 - h / m) for h, m in zip(hits, sizes, strict=True)) / (n - k)
    m0 = (n - sum(m * m for m in sizes) / n) / (k - 1)
    spread = between + (m0 - 1) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else math.nan


def rate(outcomes: Iterable[tuple[Hashable, bool]], level: float = 0.95) -> Rate:
    """Estimate a rate from (question, hit) pairs, one per answer in the denominator.

    Args:
        outcomes: One pair per answer.
        level: Confidence level in (0, 1).

    Returns:
        The rate. Never raises on degenerate input: no answers give NaN, one question a very wide interval.
    """
    groups: dict[Hashable, list[int]] = {}
    for question, hit in outcomes:
        cell = groups.setdefault(question, [0, 0])
        cell[0] += int(hit)
        cell[1] += 1
    hits, sizes = [c[0] for c in groups.values()], [c[1] for c in groups.values()]
    total, n, k = sum(hits), sum(sizes), len(sizes)
    if n == 0:
        nothing = Interval(math.nan, math.nan)
        return Rate(0, 0, 0, math.nan, nothing, nothing, math.nan, math.nan)
    estimate = anova_icc(hits, sizes)
    events = min(total, n - total)
    if math.isnan(estimate):
        estimate, events = PRIOR_ICC, 0
    icc = (events * estimate + PRIOR_HITS * PRIOR_ICC) / (events + PRIOR_HITS)
    size = sum(m * m for m in sizes) / n  # Kish: the mean group size that an answer sees
    deff = 1 + (size - 1) * icc
    p = total / n
    return Rate(
        hits=total,
        n=n,
        questions=k,
        value=p,
        suite=wilson(p, n, critical_value(level, None)),
        population=wilson(p, n / deff, critical_value(level, max(1, k - 1))),
        icc=icc,
        deff=deff,
    )
