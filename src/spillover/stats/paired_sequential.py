"""An anytime-valid test of drift against a margin, on paired answers, and its confidence sequence.

One pair is the checkpoint's and the base's answer to one question in one round; its difference is +1 (only the checkpoint
is misaligned), -1 (only the base is) or 0. One round is one pair for every question. For a drift t, bet against "the drift
is at least t": a pair multiplies the wealth by 1 + s (t - difference) with the same stake s for a whole round. Questions
have drifts of their own, but the product over a round still has a mean of at most 1 when their mean is at least t, because a
geometric mean is at most the arithmetic one. So the wealth at the ends of rounds is a non-negative supermartingale and
by Ville's inequality it ever reaches 1 / alpha with probability at most alpha, whenever one looks. Stakes are mixed
(Robbins 1970; Waudby-Smith and Ramdas 2024 on betting); the opposite bet over "at most t" likewise.

The statement is about this suite: questions are fixed, fresh answers to them are what is sampled. The two answers of a pair
may depend on each other (common random numbers make them alike, and the test quicker); pairs may not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_STAKES = np.geomspace(0.01, 0.97, 24)
"""As parts of the largest stake that cannot ruin; chosen by simulation (`benchmarks/screening.py`), as is their weight."""
_WEIGHTS = np.log(_STAKES / _STAKES.sum())
_GRID = np.unique(np.concatenate([np.linspace(-0.98, 0.98, 99), np.geomspace(1e-4, 0.1, 60), -np.geomspace(1e-4, 0.1, 60)]))


class Pairs(NamedTuple):
    """Numbers of pairs.

    Attributes:
        rose: Only the checkpoint's answer is a hit.
        same: Both are, or neither.
        fell: Only the base's is.
    """

    rose: int
    same: int
    fell: int

    def plus(self, other: Pairs) -> Pairs:
        """Both together."""
        return Pairs(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def drift(self) -> float:
        """Mean difference, in [-1, 1]; NaN without pairs."""
        return (self.rose - self.fell) / sum(self) if sum(self) else math.nan


class Bets:
    """The bets against fixed drifts; what a pair multiplies their wealth by is computed once, for a test looks every round.

    Args:
        drift: Drifts in (-1, 1).
    """

    def __init__(self, drift: NDArray[np.float64]) -> None:
        t = np.atleast_1d(np.asarray(drift, dtype=float))[:, None]
        sides = ((_STAKES / (1 - t), 1), (_STAKES / (1 + t), -1))
        self._gains = [
            np.stack([np.log1p(sign * stakes * (t - difference)) for difference in (1, 0, -1)]) for stakes, sign in sides
        ]

    def log_wealth(self, pairs: Pairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log-wealth of the bets that the true drift is below and above each of the drifts."""
        below, above = (_log_sum_exp(np.tensordot(pairs, gains, axes=1) + _WEIGHTS) for gains in self._gains)
        return below, above


def _log_sum_exp(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis, all entries finite; scipy's takes three times as long on the sizes of a look."""
    top = rows.max(axis=-1, keepdims=True)
    found: NDArray[np.float64] = top[..., 0] + np.log(np.exp(rows - top).sum(axis=-1))
    return found


def log_wealth(pairs: Pairs, drift: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`Bets.log_wealth` for drifts that are looked at once."""
    return Bets(drift).log_wealth(pairs)


@dataclass(frozen=True)
class Look:
    """The state after a round.

    Attributes:
        rounds: Rounds so far.
        pairs: Decided pairs so far.
        lower: Lower end of the confidence sequence of the drift, at error alpha on its side.
        upper: Upper end.
    """

    rounds: int
    pairs: Pairs
    lower: float
    upper: float


@dataclass
class PairedTest:
    """Feed it rounds, look whenever you like.

    Attributes:
        margin: Drift that is tested, in (0, 1).
        alpha: Error rate of either one-sided statement.
        path: One look for every round so far.
        p_pass: Anytime-valid p value of "the drift is at least the margin", with whatever is not known counted as a rise.
        p_known: The same of the decided pairs alone.
        p_fail: Anytime-valid p value of "the drift is at most the margin".
        worst: Pairs so far with whatever is not known counted as a rise.
    """

    margin: float
    alpha: float = 0.05
    path: list[Look] = field(default_factory=list)
    p_pass: float = 1.0
    p_known: float = 1.0
    p_fail: float = 1.0
    worst: Pairs = field(default_factory=lambda: Pairs(0, 0, 0))

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1 or not 0 < self.alpha < 1:
            raise ValueError("margin and alpha must lie between 0 and 1")
        self._grid = np.unique(np.append(_GRID, self.margin))
        self._bets = Bets(self._grid)
        self._at = int(np.searchsorted(self._grid, self.margin))

    @property
    def pairs(self) -> Pairs:
        """Decided pairs so far."""
        return self.path[-1].pairs if self.path else Pairs(0, 0, 0)

    def add(self, found: Pairs, worst: Pairs | None = None) -> Look:
        """Add the decided pairs of one round and look; `worst`: as they are at worst, the same for None."""
        last = self.path[-1] if self.path else Look(0, Pairs(0, 0, 0), -1.0, 1.0)
        pairs = last.pairs.plus(found)
        below, above = self._bets.log_wealth(pairs)
        self.worst = self.worst.plus(found if worst is None else worst)
        at_worst = below if self.worst == pairs else self._bets.log_wealth(self.worst)[0]
        now = math.exp(min(0.0, -at_worst[self._at]))
        # What was excluded stays excluded, but not by looking away from what is hidden since.
        self.p_pass = min(self.p_pass, now) if self.worst == pairs else now
        self.p_known = min(self.p_known, math.exp(min(0.0, -below[self._at])))
        self.p_fail = min(self.p_fail, math.exp(min(0.0, -above[self._at])))
        bar = math.log(1 / self.alpha)
        high, low = self._grid[below >= bar], self._grid[above >= bar]
        # What was refuted once stays refuted: Ville's inequality holds for all rounds together.
        upper = min(last.upper, float(high.min())) if high.size else last.upper
        lower = max(last.lower, float(low.max())) if low.size else last.lower
        look = Look(last.rounds + 1, pairs, lower, upper)
        self.path.append(look)
        return look


def pairs_to_go(pairs: Pairs, margin: float, bars: tuple[float, float]) -> float:
    """How many more pairs like these until the bet on "below" or that on "above" the margin reaches its log-wealth.

    Args:
        pairs: So far.
        margin: Drift that is tested.
        bars: Log-wealth that is asked of either bet, in that order.

    Returns:
        The smaller number of the two; 0 if one is there, infinite if neither gains.
    """
    n = sum(pairs)
    if n == 0:
        return math.inf
    now = [float(w[0]) for w in log_wealth(pairs, np.array([margin]))]
    doubled = [float(w[0]) for w in log_wealth(Pairs(*(2 * k for k in pairs)), np.array([margin]))]
    return min(
        0.0 if a >= bar else n * (bar - a) / (b - a) if b > a else math.inf
        for a, b, bar in zip(now, doubled, bars, strict=True)
    )
