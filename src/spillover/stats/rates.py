"""A rate with an interval that respects questions as the unit and is never zero-width.

Two statements are made and named apart (Miller 2024, arXiv 2411.00640, on clustered errors):

* *on this suite*: the questions are fixed and only the sampling of answers is random. Beta limits for the answers, whose
  effective number is n / (1 - ICC) for a cautious ICC: with the questions fixed, what differs between them is no noise.
* *on questions like these*: the questions are a sample too. A logit-normal posterior over the questions with their
  spread integrated out, see `spillover.stats.logitnormal`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from spillover.stats.logitnormal import Posterior, posterior


@dataclass(frozen=True)
class Interval:
    """A two-sided interval for a rate or a difference of rates; NaN when nothing was observed."""

    lower: float
    upper: float


NOTHING = Interval(math.nan, math.nan)


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
        icc: Intra-class correlation, posterior mean, in [0, 1].
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

    @property
    def effective_n(self) -> float:
        """Number of independent answers that would say as much about questions like these."""
        return self.n / self.deff if self.n else 0.0


@lru_cache(maxsize=512)
def critical_value(level: float, df: int | None) -> float:
    """Two-sided critical value: normal for df None, else Student's t."""
    from scipy.special import ndtri, stdtrit  # scipy.stats takes most of a second to import

    tail = 1 - (1 - level) / 2
    return float(ndtri(tail) if df is None else stdtrit(df, tail))


def wilson(p: float, n: float, critical: float) -> Interval:
    """Wilson score interval for a proportion `p` of `n` (possibly effective) trials; NaN bounds for n <= 0."""
    if n <= 0 or math.isnan(p):
        return NOTHING
    square = critical * critical
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = critical * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


SPLIT = 0.15
"""Between Jeffreys' limits (1/2) and Clopper and Pearson's (0): the least exact coverage of 95 % limits is then 93.9 %, for
10 to 800 answers and any rate; Wilson's is 83.8."""


def split_beta(p: float, n: float, level: float) -> Interval:
    """Limits for a proportion `p` of `n` (possibly effective) trials; NaN for n <= 0.

    Quantiles of Beta(np + s, n(1 - p) + 1 - s) for the lower and of Beta(np + 1 - s, n(1 - p) + s) for the upper one;
    0 where nothing was hit, 1 where all was (Brown, Cai and DasGupta 2001 on the family).
    """
    if n <= 0 or math.isnan(p):
        return NOTHING
    from scipy.special import betaincinv

    hits, tail = p * n, (1 - level) / 2
    lower = 0.0 if hits <= 0 else float(betaincinv(hits + SPLIT, n - hits + 1 - SPLIT, tail))
    upper = 1.0 if hits >= n else float(betaincinv(hits + 1 - SPLIT, n - hits + SPLIT, 1 - tail))
    return Interval(lower, upper)


@lru_cache(maxsize=1024)
def _posterior(cells: tuple[tuple[int, int], ...]) -> Posterior:
    return posterior([h for h, _ in cells], [m for _, m in cells])


def fit(counts: Iterable[Sequence[int]]) -> Posterior:
    """The posterior of (hits, answers) pairs, one per question; equal data are fitted once."""
    return _posterior(tuple(sorted((int(h), int(m)) for h, m in counts)))


def fit_equal(counts: Sequence[Sequence[float]]) -> Posterior:
    """The posterior of the mean of question rates that weigh the same, however many answers each has.

    Every question counts as if it had one number of answers: the one that gives that mean the sampling variance which the
    real numbers give it, question by question. The pooled likelihood would go with the questions that have most answers,
    and how many are coherent may well depend on how bad they are.
    """
    noise = [(h + 0.5) * (m - h + 0.5) / (m + 1) ** 2 for h, m in counts]
    size = sum(noise) / sum(v / m for v, (_, m) in zip(noise, counts, strict=True))
    return posterior([size * h / m for h, m in counts], [size] * len(counts))


def suite_equal(counts: Sequence[Sequence[float]], level: float) -> Interval:
    """Limits on this suite of the mean of question rates that weigh the same.

    The mean has the sampling variance of so many answers to one question, which the limits are those of.
    """
    noise = [(h + 0.5) * (m - h + 0.5) / (m + 1) ** 2 for h, m in counts]
    size = sum(noise) / sum(v / m for v, (_, m) in zip(noise, counts, strict=True))
    return split_beta(sum(h / m for h, m in counts) / len(counts), size * len(counts), level)


def _between(counts: Sequence[Sequence[int]], model: Posterior) -> float:
    """Share of an answer's variance that lies between these questions, and is no noise where they are fixed.

    A cautious one: the low end of the ICC, and none where it cannot be told.
    """
    if len(counts) < 2 or max(m for _, m in counts) < 2 or model.none or model.every:
        return 0.0
    return model.icc_lower * (len(counts) - 1) / len(counts)


def tally(outcomes: Iterable[tuple[Hashable, bool]]) -> dict[Hashable, list[int]]:
    """[hits, answers] by question, from one (question, hit) pair per answer."""
    groups: dict[Hashable, list[int]] = {}
    for question, hit in outcomes:
        cell = groups.setdefault(question, [0, 0])
        cell[0] += int(hit)
        cell[1] += 1
    return groups


def rate(outcomes: Iterable[tuple[Hashable, bool]], level: float = 0.95) -> Rate:
    """Estimate a rate from (question, hit) pairs, one per answer in the denominator.

    Args:
        outcomes: One pair per answer.
        level: Confidence level in (0, 1).

    Returns:
        The rate. Never raises on degenerate input: no answers give NaN, one question a very wide interval.
    """
    return rate_of_counts(list(tally(outcomes).values()), level)


def rate_of_counts(counts: Sequence[Sequence[int]], level: float = 0.95) -> Rate:
    """Like `rate`, from one (hits, answers) pair per question."""
    total, n = sum(h for h, _ in counts), sum(m for _, m in counts)
    if n == 0:
        return Rate(0, 0, 0, math.nan, NOTHING, NOTHING, math.nan, math.nan)
    model = fit(counts)
    p = total / n
    size = sum(m * m for _, m in counts) / n  # Kish: the mean group size that an answer sees
    lower, upper = model.limits(level)
    suite = split_beta(p, n / (1 - _between(counts, model)), level)
    return Rate(
        hits=total,
        n=n,
        questions=len(counts),
        value=p,
        suite=suite,
        population=Interval(min(lower, suite.lower, p), max(upper, suite.upper, p)),  # other questions cannot make it surer
        icc=model.icc,
        deff=1 + (size - 1) * model.icc,
    )
