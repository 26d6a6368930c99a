"""How the rates of questions may be spread: the worlds that intervals are tried in.

*equal*: all questions have one rate. *beta*: beta distributions with ICC 0.1. *logit 0.8 / 1.2 / 1.8*: normal on the logit
scale, with the standard deviations that published judged tables have (least, pooled, largest). *two points*: a fifth of the
questions has sixteen times the rate of the others (six times at 30 %). *published*: the questions of judged tables, their
logits moved to the wanted mean (`benchmarks/empirical.py`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

PUBLISHED: list[np.ndarray] = []
"""Logits of the rates of each judged table's questions, the questions in one order: `benchmarks/empirical.py` fills it."""
ONE_RATE = ("equal", "beta", "logit 0.8", "logit 1.2", "logit 1.8", "two points")


def shifted(logits: np.ndarray, rate: float) -> np.ndarray:
    """Rates whose mean is `rate`, from logits that are moved together."""
    from scipy.optimize import brentq
    from scipy.special import expit

    place = brentq(lambda c: expit(c + logits).mean() - rate, -60, 60)
    return np.asarray(expit(place + logits))


@lru_cache
def centre(rate: float, spread: float) -> float:
    """The logit around which normal logits have a mean rate."""
    from scipy.optimize import brentq
    from scipy.special import expit

    x, w = np.polynomial.hermite_e.hermegauss(61)
    return float(brentq(lambda c: (expit(c + spread * x) * w).sum() / w.sum() - rate, -60, 30))


def question_rates(rng: np.random.Generator, world: str, questions: int, rate: float) -> np.ndarray:
    """Rates of so many questions with mean `rate` over all that there could be, shape (questions,)."""
    from scipy.special import expit

    if world == "equal":
        return np.full(questions, rate)
    if world == "published":  # a table, and of its questions as many as are asked, some more than once
        return rng.choice(shifted(PUBLISHED[rng.integers(len(PUBLISHED))], rate), questions)
    if world == "beta":
        return rng.beta(rate * 9.0, (1 - rate) * 9.0, questions)
    if world.startswith("logit"):
        spread = float(world.split()[1])
        return np.asarray(expit(centre(rate, spread) + spread * rng.normal(size=questions)))
    high = min(0.9, 4 * rate)
    return np.where(rng.random(questions) < 0.2, high, (rate - 0.2 * high) / 0.8)
