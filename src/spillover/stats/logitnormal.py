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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.special import betainc, expit, logit, ndtr

Floats = NDArray[np.float64]

A = 0.25
PRIOR = 1.9
"""Scale of the half-normal prior of sigma."""
QUESTIONS_LOST = 0.5
"""The likelihood counts as if from this many questions fewer: a few questions say less of sigma than the model believes."""
SIGMA: Floats = np.array([0.0, 0.04, 0.08, 0.15, 0.3, 0.5, 0.7, 0.9, 1.15, 1.4, 1.7, 2.0, 2.4, 2.8, 3.3, 4.0, 5.0, 6.5])
_WIDE = 0.5
"""From this sigma on the integral over a question's logit is a sum over a fixed grid, which is then fine enough."""
_CELLS, _RIPE, _ENDS = 128, 20, (1e-7, 1 - 1e-7)
"""Cells of the rate; so many of them at least must hold the posterior, or it is looked at more closely."""
_STEP, _REACH = 0.1, 24.0
_LOGITS: Floats = np.linspace(-_REACH, _REACH, round(2 * _REACH / _STEP) + 1)
_CENTRES: Floats = np.linspace(-60.0, 60.0, 1201)
_SURE = 50
"""Hits and misses from which on a question's likelihood is normal in its logit, and needs no grid however sharp it is."""
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(24)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


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
    pairs = Counter(zip(h.tolist(), m.tolist(), strict=True))
    data = _Data(
        hits=np.array([hit for hit, _ in pairs]),
        sizes=np.array([size for _, size in pairs]),
        count=np.array(list(pairs.values()), dtype=np.float64),
        kept=1 - QUESTIONS_LOST / len(h),
    )
    grid = _spaced(*_ENDS, _CELLS)
    log = data.log_likelihood(grid, _CENTRES[::5])
    for _ in range(6):
        seen = np.flatnonzero(_integrated(log) > 1e-9)
        low, high = grid[max(0, seen[0] - 1)], grid[min(_CELLS - 1, seen[-1] + 1)]
        grid = _spaced(float(low), float(high), _CELLS)
        log = data.log_likelihood(grid)
        if (_integrated(log) > 1e-9).sum() >= _RIPE:
            break
    icc = _icc(grid)
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


def centre_of(rate: float, spread: float = SPREAD) -> float:
    """The logit around which normal logits of this standard deviation have a mean rate, in (0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    share = weights / weights.sum()
    centres = np.linspace(-40.0, 40.0, 8001)
    return float(np.interp(rate, expit(centres[:, None] + spread * nodes) @ share, centres))


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
    centre = centre_of(rate, spread)
    squares = float(expit(centre + spread * nodes) ** 2 @ share)
    return max(0.0, (squares - rate * rate) / (rate * (1 - rate)))


def _spaced(low: float, high: float, count: int) -> Floats:
    """Rates from low to high, evenly spaced on the logit scale."""
    ends = logit(np.array([low, high]))
    return np.asarray(expit(np.linspace(float(ends[0]), float(ends[1]), count)))


def _integrated(log: Floats) -> Floats:
    return np.asarray(np.exp(log - log.max()) @ _SIGMA_MASS)


@cache
def _tables() -> tuple[Floats, Floats]:
    """Mean rate (as a logit), and mean of rate times one minus rate, by sigma and centre of the logits."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    rates = expit(_CENTRES[None, :, None] + SIGMA[:, None, None] * nodes)
    share = weights / weights.sum()
    # By symmetry each half has small numbers only where it is looked up: 1 - tiny would be 1.
    low = rates @ share
    means = logit(np.clip(low, 1e-300, 0.5))
    return np.where(_CENTRES <= 0, means, -means[:, ::-1]), (rates * (1 - rates)) @ share


def _centre_of(p: Floats, s: int) -> Floats:
    return np.interp(logit(p), _tables()[0][s], _CENTRES)


def _icc(p: Floats) -> Floats:
    """Intra-class correlation, shape (points of p, points of sigma)."""
    found = [np.interp(_centre_of(p, s), _CENTRES, _tables()[1][s]) for s in range(len(SIGMA))]
    return np.clip(1 - np.column_stack(found) / (p * (1 - p))[:, None], 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class _Data:
    """Distinct (hits, sizes), how many questions have them, and what part of the likelihood counts."""

    hits: Floats
    sizes: Floats
    count: Floats
    kept: float

    def log_likelihood(self, p: Floats, centres: Floats | None = None) -> Floats:
        """Log-likelihood up to a constant, shape (points of p, points of sigma).

        Args:
            p: Mean rates.
            centres: Logits that it is computed at, where they are near, and interpolated between by cubic splines.
        """
        out = np.empty((len(p), len(SIGMA)))
        for s, sigma in enumerate(SIGMA):
            at = _centre_of(p, s)
            all_of_them = _CENTRES if centres is None else centres
            first, last = np.searchsorted(all_of_them, (at[0], at[-1]))
            near = all_of_them[max(0, first - 4) : last + 4]
            out[:, s] = make_interp_spline(near, self._by_centre(near, float(sigma)), k=3)(at)
        return self.kept * out

    def _by_centre(self, centres: Floats, sigma: float) -> Floats:
        """Log-likelihood at centres of the logits."""
        sure = np.minimum(self.hits, self.sizes - self.hits) >= _SURE
        log = np.zeros(len(centres))
        if sure.any():
            h, m = self.hits[sure], self.sizes[sure]
            own = m / (h * (m - h))
            wide = own + sigma * sigma
            each = -0.5 * (logit(h / m) - centres[:, None]) ** 2 / wide + 0.5 * np.log(own / wide)
            log += each @ self.count[sure]
        if not sure.all():
            log += self._summed(centres, sigma, self.hits[~sure], self.sizes[~sure]) @ self.count[~sure]
        return log

    @cached_property
    def _likely(self) -> tuple[Floats, Floats]:
        """Of what is not sure: its largest log-likelihood, and its likelihood by that at `_LOGITS`; for every sigma."""
        sure = np.minimum(self.hits, self.sizes - self.hits) >= _SURE
        h, m = self.hits[~sure], self.sizes[~sure]
        top = _binomial(logit((h + 1e-9) / (m + 2e-9))[None, :], h, m)[0]
        return top, np.exp(_binomial(_LOGITS[:, None], h, m) - top)

    def _summed(self, centres: Floats, sigma: float, h: Floats, m: Floats) -> Floats:
        """Log of the integral of each question's likelihood, shape (centres, questions)."""
        if sigma < _WIDE:
            nodes = (0.0,) if sigma == 0 else _NODES
            weights = (1.0,) if sigma == 0 else _WEIGHTS
            parts = (
                np.log(w) + _binomial((centres + sigma * z)[:, None], h, m)
                for z, w in zip(nodes, weights, strict=True)
                if w > 1e-14
            )
            return np.asarray(np.logaddexp.reduce(list(parts)))
        top, likely = self._likely
        density = np.exp(-0.5 * ((_LOGITS - centres[:, None]) / sigma) ** 2) * (_STEP / (sigma * np.sqrt(2 * np.pi)))
        beyond = [ndtr((-(_REACH + _STEP / 2) - side * centres) / sigma) for side in (1, -1)]
        found = density @ likely + beyond[0][:, None] * (h == 0) + beyond[1][:, None] * (h == m)
        return np.asarray(np.log(np.maximum(found, 1e-300)) + top)


def _binomial(at: Floats, hits: Floats, sizes: Floats) -> Floats:
    """Log-likelihood of each (hits, sizes) at logits `at`, shape (points, 1); up to a constant."""
    return np.asarray(-(hits * np.logaddexp(0, -at) + (sizes - hits) * np.logaddexp(0, at)))
