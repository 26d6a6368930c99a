"""Posterior of a rate when answers to one question resemble each other: a beta-binomial model integrated on a grid.

Question i has its own rate, drawn from a beta distribution with mean p and intra-class correlation (ICC) rho; its hits are
binomial. The unknown rho is integrated out, so an interval is as wide as its uncertainty makes it: with few hits the ICC
cannot be estimated, and a plug-in estimate would pretend that all answers are independent.

The limits are calibrated for coverage, not derived from belief: the lower one uses the prior Beta(A, 1 - A) for p, the
upper one Beta(1 - A, A), between Jeffreys' interval (A = 1/2) and Clopper and Pearson's (A = 0), and rho has the prior
Beta(0.4, 2); `QUESTIONS_LOST` makes up for small numbers of questions. `benchmarks/coverage.py` shows what that gives
(Brown, Cai and DasGupta 2001 on the binomial case).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, logit

Floats = NDArray[np.float64]

A = 0.25
RHO_PRIOR = (0.4, 2.0)
QUESTIONS_LOST = 0.5
"""The likelihood counts as if from this many questions fewer: a few questions say less of rho than the model believes."""
_RHO: Floats = np.array(
    [
        1e-05,
        0.0001,
        0.0005,
        0.002,
        0.005,
        0.01,
        0.018,
        0.03,
        0.045,
        0.065,
        0.09,
        0.12,
        0.15,
        0.19,
        0.23,
        0.28,
        0.34,
        0.41,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        0.97,
    ]
)
_COARSE, _FINE = 96, 160
_ENDS = (1e-7, 1 - 1e-7)


def _masses(points: Floats, a: float, b: float) -> Floats:
    """Prior probability of the cells around `points`."""
    edges = np.concatenate([[0.0], (points[1:] + points[:-1]) / 2, [1.0]])
    return np.diff(betainc(a, b, edges))


_RHO_MASS = _masses(_RHO, *RHO_PRIOR)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of the mean rate over questions like these.

    Attributes:
        edges: Cell edges of the rate, shape (cells + 1,), from 0 to 1.
        likelihood: Likelihood of each cell, rho integrated out, shape (cells,), largest about 1.
        icc: Posterior mean of rho, in [0, 1].
        icc_cumulative: Posterior probability of rho up to each point of the grid.
        none: No hit was seen: the lower limit is 0.
        every: Nothing but hits were seen: the upper limit is 1.
    """

    edges: Floats
    likelihood: Floats
    icc: float
    icc_cumulative: Floats
    none: bool
    every: bool

    @property
    def icc_lower(self) -> float:
        """The 10 % quantile of rho."""
        return float(self.icc_quantiles(np.array([0.1]))[0])

    def icc_quantiles(self, u: Floats) -> Floats:
        """Quantiles of rho: draws, when `u` is uniform."""
        return np.interp(u, self.icc_cumulative, _RHO)

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
    if not hits:
        raise ValueError("at least one question is needed")
    h, m = np.asarray(hits, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    grid = _spaced(*_ENDS, _COARSE)
    log = _log_likelihood(grid, h, m)
    seen = np.flatnonzero(_integrated(log) > 1e-9)
    low, high = grid[max(0, seen[0] - 1)], grid[min(_COARSE - 1, seen[-1] + 1)]
    grid = _spaced(float(low), float(high), _FINE)
    log = _log_likelihood(grid, h, m)
    edges = np.concatenate([[0.0], (grid[1:] + grid[:-1]) / 2, [1.0]])
    joint = np.exp(log - log.max()) * _RHO_MASS
    rho = (joint * np.diff(betainc(0.5, 0.5, edges))[:, None]).sum(0)
    total = float(h.sum())
    return Posterior(
        edges=edges,
        likelihood=_integrated(log),
        icc=float(rho @ _RHO / rho.sum()),
        icc_cumulative=np.cumsum(rho) / rho.sum(),
        none=total == 0,
        every=total == float(m.sum()),
    )


def _spaced(low: float, high: float, count: int) -> Floats:
    """Rates from low to high, evenly spaced on the logit scale."""
    ends = logit(np.array([low, high]))
    return np.asarray(expit(np.linspace(float(ends[0]), float(ends[1]), count)))


def _integrated(log: Floats) -> Floats:
    return np.asarray(np.exp(log - log.max()) @ _RHO_MASS)


def _log_likelihood(p: Floats, h: Floats, m: Floats) -> Floats:
    """Log-likelihood up to a constant, shape (points of p, points of rho)."""
    theta = 1 / _RHO - 1
    kept = 1 - QUESTIONS_LOST / len(h)
    a, b = p[:, None] * theta, (1 - p)[:, None] * theta
    pairs = Counter(zip(h.tolist(), m.tolist(), strict=True))
    if m.max() > 8 * len(pairs) or (h != np.floor(h)).any() or (m != np.floor(m)).any():
        return np.asarray(kept * sum(c * (betaln(x + a, n - x + b) - betaln(a, b)) for (x, n), c in pairs.items()))
    # Rising factorials: log(a + i) counts once for every question with more than i hits.
    steps = range(int(m.max()))
    log: Floats = np.zeros_like(a)
    for i in steps:
        log += int((h > i).sum()) * np.log(a + i) if (h > i).any() else 0.0
        log += int((m - h > i).sum()) * np.log(b + i) if (m - h > i).any() else 0.0
        log -= int((m > i).sum()) * np.log(theta + i)
    return np.asarray(kept * log)
