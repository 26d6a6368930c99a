"""Rates corrected for the judge's errors, with the uncertainty of the labels in the interval.

Two estimators. *Rogan-Gladen* (1978) moves the judge's sensitivity and specificity, measured on labels from anywhere, to
new answers: (q + sp - 1) / (se + sp - 1). It holds as long as the judge errs on the new answers as it did on the
labelled ones. *Prediction-powered* (Angelopoulos et al. 2023; post-stratified by the verdict as in Fisch et al. 2024) needs
labels drawn from these very answers and then assumes nothing about the judge: q PPV + (1 - q) FOR.

Intervals are quantiles over draws from the posteriors of every part (Jeffreys; questions are sampled too, see
`spillover.stats.logitnormal`), so that labels count with their own uncertainty (Lang and Reiczigel 2014 on why that
matters).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from spillover.stats.logitnormal import A
from spillover.stats.rates import NOTHING, Interval, critical_value, fit, tally

DRAWS = 4000
_SEED = 20260


class Label(NamedTuple):
    """One labelled answer: what the judge said, what is true, and how many answers it stands for."""

    question: str
    said: bool
    true: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Corrected:
    """A corrected rate.

    Attributes:
        value: In [0, 1]; NaN when it cannot be computed.
        interval: For questions like these.
        labels: Number of labelled answers behind it.
    """

    value: float
    interval: Interval
    labels: int


UNKNOWN = Corrected(math.nan, NOTHING, 0)


def rogan_gladen(counts: Sequence[Sequence[int]], labels: Iterable[Label], level: float = 0.95) -> Corrected:
    """Correct the judge's rate by its sensitivity and specificity.

    Args:
        counts: (judged misaligned, judged) by question, of the answers whose rate is wanted.
        labels: Labelled answers; they may come from other models and questions.
        level: Confidence level.

    Returns:
        The corrected rate; unknown without answers or labels. Its value is NaN, with an interval all the same, when
        one kind of label is missing or the judge is no better than chance.
    """
    rows = list(labels)
    if not counts or not rows:
        return UNKNOWN
    u = _uniforms(3)
    q = fit(counts).quantiles(u[0])
    draws = _test_quality(rows, u[1:])
    raw = sum(h for h, _ in counts) / sum(m for _, m in counts)
    value = _solve(raw, *_point(rows))
    with np.errstate(divide="ignore", invalid="ignore"):
        better = draws[0] + draws[1] > 1
        p = np.clip((q + draws[1] - 1) / (draws[0] + draws[1] - 1), 0, 1)
    # A judge no better than chance says nothing: such a draw stands for every rate.
    tail = (1 - level) / 2
    lower = float(np.quantile(np.where(better, p, 0.0), tail))
    upper = float(np.quantile(np.where(better, p, 1.0), 1 - tail))
    return Corrected(value, _hold(lower, upper, value), len(rows))


def prediction_powered(counts: Sequence[Sequence[int]], labels: Iterable[Label], level: float = 0.95) -> Corrected:
    """Correct the judge's rate by what labels say of these very answers, verdict by verdict.

    Args:
        counts: (judged misaligned, judged) by question, of all answers.
        labels: Labelled answers, a random sample of those (or of each verdict's).
        level: Confidence level.
    """
    rows = list(labels)
    if not counts or not rows:
        return UNKNOWN
    u = _uniforms(5)
    hits, n = sum(h for h, _ in counts), sum(m for _, m in counts)
    q = betaincinv(hits + 0.5, n - hits + 0.5, u[0])
    parts, points = [], []
    for index, said in ((1, True), (2, False)):
        true = [r.true for r in rows if r.said is said]
        points.append(sum(true) / len(true) if true else math.nan)
        parts.append(betaincinv(sum(true) + 0.5, len(true) - sum(true) + 0.5, u[index]))
    p = q * parts[0] + (1 - q) * parts[1]
    # So far the questions were fixed. Questions like these vary by the ICC of the truth, as far as the labels show it.
    icc = fit(tally((r.question, r.true) for r in rows).values()).icc_quantiles(u[4]).clip(1e-6)
    few = critical_value(level, max(1, len(counts) - 1)) / critical_value(level, None)
    spread = np.maximum(1.0, (len(counts) - 1) / (icc * few**2) - 1)
    # The priors are those of the limits without a judge (`logitnormal`): a hot question is easily missed by 24.
    low = betaincinv(p * spread + A, (1 - p) * spread + 1 - A, u[3])
    high = betaincinv(p * spread + 1 - A, (1 - p) * spread + A, u[3])
    raw = sum(h for h, _ in counts) / sum(m for _, m in counts)
    value = sum(share * point for share, point in ((raw, points[0]), (1 - raw, points[1])) if share)
    tail = (1 - level) / 2
    lower = 0.0 if not any(r.true for r in rows) else float(np.quantile(low, tail))
    upper = 1.0 if all(r.true for r in rows) else float(np.quantile(high, 1 - tail))
    return Corrected(value, _hold(lower, upper, value), len(rows))


def _test_quality(rows: list[Label], u: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Draws of sensitivity and specificity.

    Labels that stand for different numbers of answers were drawn verdict by verdict. What they estimate is the share truly
    misaligned within each verdict; sensitivity and specificity follow with the sizes of the verdicts.
    """
    if len({r.weight for r in rows}) == 1:
        right = ([(r.question, r.said) for r in rows if r.true], [(r.question, not r.said) for r in rows if not r.true])
        return [_by_question(pairs, u[i]) for i, pairs in enumerate(right)]
    sizes, shares = [], []
    for i, said in enumerate((True, False)):
        sizes.append(sum(r.weight for r in rows if r.said is said))
        shares.append(_by_question([(r.question, r.true) for r in rows if r.said is said], u[i]))
    found, missed = sizes[0] * shares[0], sizes[1] * shares[1]
    cleared, accused = sizes[1] * (1 - shares[1]), sizes[0] * (1 - shares[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return [np.nan_to_num(found / (found + missed), nan=0.5), np.nan_to_num(cleared / (cleared + accused), nan=0.5)]


def _by_question(pairs: Sequence[tuple[str, bool]], u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of a share for questions like these; any share at all where there is no answer."""
    return fit(tally(pairs).values()).quantiles(u) if pairs else betaincinv(0.5, 0.5, u)


def _point(rows: list[Label]) -> tuple[float, float]:
    """Weighted sensitivity and specificity; NaN without a label of the kind."""
    return weighted_share([(r.said, r.weight) for r in rows if r.true]), weighted_share(
        [(not r.said, r.weight) for r in rows if not r.true]
    )


def weighted_share(pairs: Iterable[tuple[bool, float]]) -> float:
    """Share of hits among answers that stand for `weight` answers each; NaN for none."""
    rows = list(pairs)
    total = sum(w for _, w in rows)
    return sum(w for hit, w in rows if hit) / total if total else math.nan


def _solve(q: float, se: float, sp: float) -> float:
    if not se + sp > 1:  # NaN is no better than chance either
        return math.nan
    return min(1.0, max(0.0, (q + sp - 1) / (se + sp - 1)))


def _hold(lower: float, upper: float, value: float) -> Interval:
    return Interval(lower, upper) if math.isnan(value) else Interval(min(lower, value), max(upper, value))


def _uniforms(rows: int) -> NDArray[np.float64]:
    """Stratified uniform draws, the same every time: a report must not change from one look to the next."""
    rng = np.random.default_rng(_SEED)
    base = (np.arange(DRAWS) + 0.5) / DRAWS
    return np.stack([rng.permutation(base) for _ in range(rows)])
