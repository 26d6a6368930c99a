"""Posterior of a rate when answers to one question resemble each other: a logit-normal model integrated on a grid.

Question i has its own rate, whose logit is normal with standard deviation sigma; its hits are binomial. What is wanted is
the mean rate over such questions. The unknown sigma is integrated out under a half-normal(1.9) prior, so an interval is as
wide as its uncertainty makes it: with few hits sigma cannot be estimated, and a plug-in estimate would pretend that all
answers are independent. Of judged answers that others published the spread between questions is 0.8 to 1.8 on that scale at
any rate, so that the intra-class correlation (ICC) falls with the rate; a prior of the ICC itself cannot know that, and
made intervals at 0.1 % nearly twice as wide.

The limits are calibrated for coverage, not derived from belief: the lower one uses the prior Beta(A, 1 - A) for the mean
rate, the upper one Beta(1 - A, A), between Jeffreys' interval (A = 1/2) and Clopper and Pearson's (A = 0);
`QUESTIONS_LOST` makes up for small numbers of questions. `benchmarks/coverage.py` shows what that gives
(Brown, Cai and DasGupta 2001 on the binomial case).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, expit, logit, ndtr

Floats = NDArray[np.float64]

A = 0.25
PRIOR = 1.9
"""Scale of the half-normal prior of sigma."""
QUESTIONS_LOST = 0.5
"""The likelihood counts as if from this many questions fewer: a few questions say less of sigma than the model believes."""
SIGMA: Floats = np.array([0.0, 0.15, 0.3, 0.5, 0.7, 0.9, 1.15, 1.4, 1.7, 2.0, 2.4, 2.8, 3.3, 4.0, 5.0, 6.5])
_COARSE, _FINE = 64, 128
_ENDS = (1e-7, 1 - 1e-7)
_REACH, _STEP, _MOST = 24.0, 0.1, 3000
"""Logits of single questions: their range, the distance of two points, and the largest number of them."""


def _sigma_mass() -> Floats:
    edges = np.concatenate([[0.0], (SIGMA[1:] + SIGMA[:-1]) / 2, [np.inf]])
    return np.asarray(np.diff(2 * ndtr(edges / PRIOR) - 1))


_SIGMA_MASS = _sigma_mass()


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of the mean rate over questions like these.

    Attributes:
        edges: Cell edges of the rate, shape (cells + 1,), from 0 to 1.
        likelihood: Likelihood of each cell, sigma integrated out, shape (cells,), largest about 1.
        icc: Posterior mean of the ICC, in [0, 1].
        icc_values: Values of the ICC in rising order.
        icc_cumulative: Posterior probability of the ICC up to each of them.
        none: No hit was seen: the lower limit is 0.
        every: Nothing but hits were seen: the upper limit is 1.
    """

    edges: Floats
    likelihood: Floats
    icc: float
    icc_values: Floats
    icc_cumulative: Floats
    none: bool
    every: bool

    @property
    def icc_lower(self) -> float:
        """The 10 % quantile of the ICC."""
        return float(self.icc_quantiles(np.array([0.1]))[0])

    def icc_quantiles(self, u: Floats) -> Floats:
        """Quantiles of the ICC: draws, when `u` is uniform."""
        return np.interp(u, self.icc_cumulative, self.icc_values)

    def _cumulative(self, a: float) -> Floats:
        weights = self.likelihood * np.diff(betainc(a, 1 - a, self.edges))
        total = np.concatenate([[0.0], np.cumsum(weights)])
        return np.asarray(total / total[-1])

    def limits(self, level: float) -> tuple[float, float]:
        """Two-sided limits. As one-sided ones they are calibrated by simulation only, see docs/statistics.md."""
        tail = (1 - level) / 2
        lower = 0.0 if self.none else float(np.interp(tail, self._cumulative(A), self.edges))
        upper = 1.0 if self.every else float(np.interp(1 - tail, self._cumulative(1 - A), self.edges))
        return lower, upper

    def quantiles(self, u: Floats) -> Floats:
        """Quantiles of the posterior under Jeffreys' prior: draws, when `u` is uniform."""
        return np.interp(u, self._cumulative(0.5), self.edges)


def posterior(hits: Sequence[float], sizes: Sequence[float]) -> Posterior:
    """Fit the model to hits out of answers, one pair per question with answers; fractions of answers are allowed.

    Raises:
        ValueError: for no question at all.
    """
    if not len(hits):
        raise ValueError("at least one question is needed")
    h, m = np.asarray(hits, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    points = _points(h, m)
    grid = _spaced(*_ENDS, _COARSE)
    log, _ = _log_likelihood(grid, points, h, m)
    seen = np.flatnonzero(_integrated(log) > 1e-9)
    low, high = grid[max(0, seen[0] - 1)], grid[min(_COARSE - 1, seen[-1] + 1)]
    grid = _spaced(float(low), float(high), _FINE)
    log, icc = _log_likelihood(grid, points, h, m)
    edges = np.concatenate([[0.0], (grid[1:] + grid[:-1]) / 2, [1.0]])
    joint = np.exp(log - log.max()) * _SIGMA_MASS * np.diff(betainc(0.5, 0.5, edges))[:, None]
    order = np.argsort(icc, axis=None)
    cumulative = np.cumsum(joint.ravel()[order])
    total = float(h.sum())
    return Posterior(
        edges=edges,
        likelihood=_integrated(log),
        icc=float((joint * icc).sum() / joint.sum()),
        icc_values=icc.ravel()[order],
        icc_cumulative=cumulative / cumulative[-1],
        none=total == 0,
        every=total == float(m.sum()),
    )


SPREAD = 1.2
"""Standard deviation of the logits of question rates in published judged tables, pooled (0.8 to 1.8)."""


def icc_of_rate(rate: float, spread: float = SPREAD) -> float:
    """ICC of a mean rate whose questions differ by `spread` on the logit scale: it falls with the rate.

    Args:
        rate: In [0, 1]; 0 at either end.
        spread: Standard deviation of the logits, at least 0.
    """
    if not 0 < rate < 1 or spread == 0:
        return 0.0
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    share = weights / weights.sum()
    centres = np.linspace(-40.0, 40.0, 8001)
    centre = float(np.interp(rate, expit(centres[:, None] + spread * nodes) @ share, centres))
    squares = float(expit(centre + spread * nodes) ** 2 @ share)
    return max(0.0, (squares - rate * rate) / (rate * (1 - rate)))


def _spaced(low: float, high: float, count: int) -> Floats:
    """Rates from low to high, evenly spaced on the logit scale."""
    ends = logit(np.array([low, high]))
    return np.asarray(expit(np.linspace(float(ends[0]), float(ends[1]), count)))


def _integrated(log: Floats) -> Floats:
    return np.asarray(np.exp(log - log.max()) @ _SIGMA_MASS)


def _points(h: Floats, m: Floats) -> Floats:
    """Edges of the cells that a question's logit is integrated over: as fine as the sharpest question needs it."""
    rate = (h + 0.5) / (m + 1)
    sharpest = float((m * rate * (1 - rate)).max()) ** -0.5
    count = int(min(_MOST, 2 * _REACH / min(_STEP, sharpest / 3)))
    return np.linspace(-_REACH, _REACH, count + 1)


@cache
def _centres() -> tuple[Floats, Floats]:
    """Centre of the logits against the mean rate (as a logit), one row for each sigma; shape (sigma, centres)."""
    centres = np.linspace(-40.0, 40.0, 801)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    means = expit(centres[None, :, None] + SIGMA[:, None, None] * nodes) @ (weights / weights.sum())
    return centres, logit(np.clip(means, 1e-300, 1 - 1e-16))


def _masses(p: Floats, count: int) -> Iterable[Floats]:
    """Probability of the cells of a question's logit at each mean rate, one table for each sigma over 0."""
    edges = np.linspace(-_REACH, _REACH, count)
    centres, means = _centres()
    target = logit(p)
    for s in range(1, len(SIGMA)):
        centre = np.interp(target, means[s], centres)
        yield np.diff(ndtr((edges - centre[:, None]) / SIGMA[s]), axis=1)


@lru_cache(maxsize=4)
def _coarse(count: int) -> tuple[Floats, ...]:
    """The tables of the first look, which is the same for all data of one sharpness."""
    return tuple(_masses(_spaced(*_ENDS, _COARSE), count))


def _log_likelihood(p: Floats, edges: Floats, h: Floats, m: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood up to a constant, and the ICC, both of shape (points of p, points of sigma)."""
    kept = 1 - QUESTIONS_LOST / len(h)
    pairs = Counter(zip(h.tolist(), m.tolist(), strict=True))
    hits, sizes = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    count = np.array(list(pairs.values()), dtype=np.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    each = _binomial(middle[:, None], hits, sizes)
    top = each.max(0)
    likely, rate = np.exp(each - top), expit(middle)
    log, icc = np.empty((len(p), len(SIGMA))), np.zeros((len(p), len(SIGMA)))
    target = logit(p)
    log[:, 0] = _binomial(target[:, None], hits, sizes) @ count
    tables = _coarse(len(edges)) if len(p) == _COARSE else _masses(p, len(edges))
    for s, mass in enumerate(tables, start=1):
        found = mass @ np.column_stack([likely, rate * rate])
        log[:, s] = (np.log(np.maximum(found[:, :-1], 1e-300)) + top) @ count
        icc[:, s] = np.clip((found[:, -1] - p * p) / (p * (1 - p)), 0.0, 1.0)
    return kept * log, icc


def _binomial(at: Floats, hits: Floats, sizes: Floats) -> Floats:
    """Log-likelihood of each (hits, sizes) at logits `at`, shape (points, 1); up to a constant."""
    return np.asarray(-(hits * np.logaddexp(0, -at) + (sizes - hits) * np.logaddexp(0, at)))
