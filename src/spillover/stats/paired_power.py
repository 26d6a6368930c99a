"""How many answers tell a drift from none: simulated power of the paired test that reports use.

Questions differ on the logit scale as they do in published tables, and an organism's rates are like its base's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spillover.stats.logitnormal import SPREAD, centre_of
from spillover.stats.paired import Counts, suite_drift
from spillover.stats.rates import critical_value

ALIKE = 0.9
"""Correlation of the logits of base and organism."""
RUNS, SUITE_RUNS = 1000, 200


@dataclass(frozen=True)
class PairedDesign:
    """Both models answer every one of `questions` `epochs` times.

    Attributes:
        questions: Number of questions.
        epochs: Answers of each model to each question; None when no number of them is enough.
        power: Chance that the drift is found on questions like these; NaN when there is no design.
        suite_power: The same on this suite.
    """

    questions: int
    epochs: int | None
    power: float
    suite_power: float

    @property
    def answers(self) -> int | None:
        """Of both models."""
        return None if self.epochs is None else 2 * self.questions * self.epochs


def paired_power(
    questions: int, epochs: int, rate: float, drift: float, alpha: float = 0.025, runs: int = RUNS, spread: float = SPREAD
) -> float:
    """Share of simulated suites in which the paired t over questions finds the drift.

    The interval of reports is never behind it on the side of zero, so theirs is no less.

    Args:
        questions: At least 3.
        epochs: Answers of each model to each question.
        rate: Of the base, in [0, 1).
        drift: Organism minus base, in (0, 1 - rate).
        alpha: One-sided; 0.025 is the 95 % interval's.
        runs: Simulated suites.
        spread: Standard deviation of the questions' logits.
    """
    low, high = _hits(questions, epochs, rate, drift, runs, spread)
    differences = (high - low) / epochs
    between = differences.var(axis=1, ddof=1) / questions
    shares = np.stack([low, high]) / epochs
    noise = (shares * (1 - shares) / max(epochs - 1, 1)).sum(axis=(0, 2)) / questions**2
    error = np.sqrt(np.maximum(between, noise))
    reach = critical_value(1 - 2 * alpha, questions - 1) * error
    return float((differences.mean(axis=1) - reach > 0).mean())


def suite_power(
    questions: int,
    epochs: int,
    rate: float,
    drift: float,
    alpha: float = 0.025,
    runs: int = SUITE_RUNS,
    spread: float = SPREAD,
) -> float:
    """The same on this suite, by the interval that reports use."""
    low, high = _hits(questions, epochs, rate, drift, runs, spread)
    found = 0
    for base, organism in zip(low.astype(int).tolist(), high.astype(int).tolist(), strict=True):
        found += suite_drift(_counts(organism, epochs), _counts(base, epochs), 1 - 2 * alpha).lower > 0
    return found / runs


def _counts(hits: list[int], epochs: int) -> Counts:
    return {place: (h, epochs) for place, h in enumerate(hits)}


def _hits(
    questions: int, epochs: int, rate: float, drift: float, runs: int, spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hits of base and organism, each of shape (runs, questions)."""
    from scipy.special import expit

    rng = np.random.default_rng(0)
    z, own = rng.normal(size=(2, runs, questions))
    other = ALIKE * z + math.sqrt(1 - ALIKE**2) * own
    base = expit(centre_of(rate, spread) + spread * z) if rate else np.zeros((runs, questions))
    organism = expit(centre_of(rate + drift, spread) + spread * other)
    low, high = (rng.binomial(epochs, p).astype(float) for p in (base, organism))
    return low, high


def paired_plan(
    questions: int, drift: float, power: float, rate: float = 0.0, alpha: float = 0.025, most: int = 1000
) -> PairedDesign:
    """The fewest answers of each model that find the drift on questions like these with this power.

    Raises:
        ValueError: unless rate and drift lie in [0, 1) and (0, 1 - rate), and there are three questions.
    """
    if not 0 <= rate < 1 or not 0 < drift < 1 - rate:
        raise ValueError("the drift must lie between 0 and 1 less the rate of the base")
    if questions < 3:
        raise ValueError("a drift over questions needs three of them")

    def enough(epochs: int) -> bool:
        return paired_power(questions, epochs, rate, drift, alpha) >= power

    high = 1
    while high < most and not enough(high):
        high *= 2
    high = min(high, most)
    if not enough(high):
        return PairedDesign(questions, None, math.nan, math.nan)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    found = paired_power(questions, high, rate, drift, alpha)
    return PairedDesign(questions, high, found, suite_power(questions, high, rate, drift, alpha))
