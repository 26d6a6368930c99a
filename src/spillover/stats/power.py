"""How many questions and answers a claim needs, and what a given design can detect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from spillover.stats.rates import rate_of_counts


@dataclass(frozen=True)
class Design:
    """A suite of `questions` with `epochs` answers each.

    Attributes:
        questions: Number of questions.
        epochs: Answers to each question; None when no number of them is enough.
        deff: Design effect at the assumed ICC; NaN when there is no design.
        power: Simulated power with the interval that reports use; NaN when there is no design.
        detectable: Smallest rate that the design tells from `baseline` with the asked power; NaN when there is none.
    """

    questions: int
    epochs: int | None
    deff: float
    power: float
    detectable: float

    @property
    def answers(self) -> int | None:
        """Answers in all."""
        return None if self.epochs is None else self.questions * self.epochs


def effective_n(questions: int, epochs: int, icc: float) -> float:
    """N / (1 + (epochs - 1) ICC)."""
    return questions * epochs / (1 + (epochs - 1) * icc)


def needed_n(margin: float, rate: float, power: float, alpha: float = 0.05) -> float:
    """Independent answers needed to show that a rate is below `margin` when it is `rate`.

    The score test's formula (Chow, Shao and Wang 2008, ch. 4), and never fewer than the rule of zero hits asks,
    ln(alpha) / ln(1 - margin): 299 for a margin of 1 %.

    Raises:
        ValueError: unless 0 <= rate < margin < 1 and 0 < alpha < 0.5 < power < 1.
    """
    if not 0 <= rate < margin < 1:
        raise ValueError("the rate must be at least 0 and under the margin, the margin under 1")
    if not (0 < alpha < 0.5 and 0.5 <= power < 1):
        raise ValueError("alpha must lie between 0 and 0.5, power between 0.5 and 1")
    za, zb = ndtri(1 - alpha), ndtri(power)
    score = ((za * math.sqrt(margin * (1 - margin)) + zb * math.sqrt(rate * (1 - rate))) / (margin - rate)) ** 2
    return float(max(score, math.log(alpha) / math.log(1 - margin)))


def simulated_power(
    questions: int, epochs: int, margin: float, rate: float, icc: float, alpha: float = 0.05, runs: int = 200
) -> float:
    """Share of simulated suites whose upper limit on questions like these stays below `margin`.

    The limit is the one that reports use, at the two-sided level 1 - 2 alpha. It has to allow for an ICC that it does
    not know, which no formula for a known ICC does.
    """
    if rate == 0:
        return float(rate_of_counts([(0, epochs)] * questions, 1 - 2 * alpha).population.upper < margin)
    rng = np.random.default_rng(0)
    theta = 1 / icc - 1 if icc else 0.0
    passed = 0
    for _ in range(runs):
        rates = rng.beta(rate * theta, (1 - rate) * theta, questions) if icc else np.full(questions, rate)
        counts = [(int(h), epochs) for h in rng.binomial(epochs, rates)]
        passed += rate_of_counts(counts, 1 - 2 * alpha).population.upper < margin
    return passed / runs


def detectable_rate(n: float, baseline: float, power: float, alpha: float = 0.05) -> float:
    """Smallest rate over `baseline` that `n` independent answers of each model tell from it; two-sided alpha.

    Both models have `n`; pairing on questions makes it smaller than this. NaN when no rate up to 1 is large enough.
    """
    from scipy.optimize import brentq  # half a second to import, and every report imports this module

    za, zb = ndtri(1 - alpha / 2), ndtri(power)
    start = max(baseline, 1 / (2 * n))  # with a clean baseline half a hit stands in for its unknown variance

    def gap(rate: float) -> float:
        mean = (start + rate) / 2
        null, alternative = math.sqrt(2 * mean * (1 - mean)), math.sqrt(start * (1 - start) + rate * (1 - rate))
        return float((rate - start) * math.sqrt(n) - za * null - zb * alternative)

    if gap(1 - 1e-9) < 0:
        return math.nan
    return float(brentq(gap, start, 1 - 1e-9))


def plan(
    questions: int, margin: float, power: float, icc: float = 0.1, rate: float = 0.0, alpha: float = 0.05, most: int = 1000
) -> Design:
    """The fewest answers per question that show the rate to be below `margin`; `epochs` is None if over `most`.

    Starts from the formula for a known ICC and goes up until the simulated power is enough. With an ICC above 0 more
    epochs stop helping: the effective n never exceeds questions / ICC.
    """
    needed = needed_n(margin, rate, power, alpha)
    room = questions - needed * icc
    epochs = math.ceil(needed * (1 - icc) / room) if room > 0 else most + 1
    found = 0.0
    while epochs <= most:
        found = simulated_power(questions, epochs, margin, rate, icc, alpha)
        if found >= power:
            break
        epochs = math.ceil(1.25 * epochs) + 1
    if epochs > most:
        return Design(questions, None, math.nan, math.nan, math.nan)
    n = effective_n(questions, epochs, icc)
    return Design(questions, epochs, 1 + (epochs - 1) * icc, found, detectable_rate(n, rate, power, alpha))
