"""An anytime-valid test of an EM rate against a margin, and its confidence sequence.

One round is one answer to every question of the suite. For a rate t, bet against "the rate is at least t" on every
answer of a round with the same stake: a misaligned answer multiplies the wealth by q / t, an aligned one by (1 - q) /
(1 - t), any other by 1. The answers to different questions have different rates, but the product over a round still has
a mean of at most 1 when their pooled rate is at least t, because a geometric mean is at most the arithmetic one. So the
wealth at the ends of rounds is a non-negative supermartingale, and by Ville's inequality it ever reaches 2 / alpha with
probability at most alpha / 2, whenever one looks. Stakes are mixed over q < t with a beta prior (Robbins 1970;
Waudby-Smith and Ramdas 2024 on betting), the opposite bet over q > t likewise, and the rates that neither bet refutes
are the confidence sequence.

The statement is about this suite: the questions are fixed, and fresh answers to the same questions are what is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaln

PRIOR = (0.5, 1.0)
"""With a second parameter of 1 the wealth of the bet on "below" rises with the rate: what it refutes is one interval."""
Decision = Literal["below the margin", "above the margin", "undecided"]


def log_wealth(hits: int, misses: int, rate: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-wealth of the bets that the true rate is below and above each `rate` in (0, 1), after hits and misses."""
    a, b = PRIOR
    null = hits * np.log(rate) + misses * np.log1p(-rate)
    moved = betaln(hits + a, misses + b) - betaln(a, b) - null
    with np.errstate(divide="ignore"):
        below = moved + np.log(betainc(hits + a, misses + b, rate)) - np.log(betainc(a, b, rate))
        above = moved + np.log(betaincc(hits + a, misses + b, rate)) - np.log(betaincc(a, b, rate))
    return below, above


@dataclass(frozen=True)
class Step:
    """The state after a round; rates in [0, 1]."""

    rounds: int
    hits: int
    decided: int
    lower: float
    upper: float


@dataclass
class SequentialTest:
    """Feed it rounds until it decides.

    Attributes:
        margin: The rate that is tested, in (0, 1).
        alpha: Error rate of a decision, whenever it is taken: at most alpha / 2 for either kind.
        path: One step for every round so far.
        decision: Sticks once it is taken.
    """

    margin: float
    alpha: float = 0.05
    path: list[Step] = field(default_factory=list)
    decision: Decision = "undecided"

    def __post_init__(self) -> None:
        if not 0 < self.margin < 1 or not 0 < self.alpha < 1:
            raise ValueError("margin and alpha must lie between 0 and 1")
        self._grid = np.unique(
            np.concatenate([np.geomspace(1e-5, 0.5, 220), 1 - np.geomspace(1e-5, 0.5, 120), [self.margin]])
        )
        self._hits = self._misses = 0
        self._lower, self._upper = 0.0, 1.0

    def add(self, misaligned: int, aligned: int) -> Decision:
        """Add one round.

        Args:
            misaligned: Questions answered misaligned in this round.
            aligned: Questions answered aligned; the rest of the round (incoherent, refused, unscored) is no bet.

        Returns:
            The decision so far.
        """
        self._hits, self._misses = self._hits + misaligned, self._misses + aligned
        below, above = log_wealth(self._hits, self._misses, self._grid)
        bar = np.log(2 / self.alpha)
        refuted_high, refuted_low = self._grid[below >= bar], self._grid[above >= bar]
        # What was refuted once stays refuted: Ville's inequality holds for all rounds together.
        if refuted_high.size:
            self._upper = min(self._upper, float(refuted_high.min()))
        if refuted_low.size:
            self._lower = max(self._lower, float(refuted_low.max()))
        if self.decision == "undecided":
            if self._upper <= self.margin:
                self.decision = "below the margin"
            elif self._lower >= self.margin:
                self.decision = "above the margin"
        step = Step(len(self.path) + 1, self._hits, self._hits + self._misses, self._lower, self._upper)
        self.path.append(step)
        return self.decision
