"""Several training seeds of one recipe: the rate of the recipe, with seeds and questions both sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spillover.stats.rates import Interval, critical_value


@dataclass(frozen=True)
class TwoWay:
    """Mean over training seeds and questions.

    Attributes:
        value: Mean of the table; a rate or a difference of rates.
        interval: For seeds and questions like these, cut to [-1, 1].
        seeds: Number of seeds.
        questions: Number of questions.
        seed_sd: Standard deviation of the seeds' means, NaN for one seed.
    """

    value: float
    interval: Interval
    seeds: int
    questions: int
    seed_sd: float


def two_way_bootstrap(table: ArrayLike, level: float = 0.95, draws: int = 2000, seed: int = 0) -> TwoWay:
    """Resample seeds and questions independently (the pigeonhole bootstrap of Owen 2007) and form a t interval.

    The bootstrap gives the standard error; the critical value is Student's t, because percentiles of three resampled
    seeds are far too narrow. Its degrees of freedom are those of the way that varies more (Satterthwaite). The standard
    error has a floor, half a cell of the table, so that a table of zeros has no interval of zero width.

    Args:
        table: Rates or differences, shape (seeds, questions).
        level: Confidence level.
        draws: Bootstrap draws.
        seed: Of the resampling.

    Raises:
        ValueError: unless the table has two dimensions and at least two seeds and two questions, all of them numbers.
    """
    values: NDArray[np.float64] = np.asarray(table, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2 or np.isnan(values).any():
        raise ValueError("the table needs at least two seeds and two questions, and a number in every cell")
    seeds, questions = values.shape
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    columns = rng.multinomial(questions, np.full(questions, 1 / questions), size=draws) / questions
    spread = float(np.einsum("ds,sq,dq->d", rows, values, columns).var(ddof=1))
    by_seed = float(values.mean(1).var(ddof=1)) / seeds
    by_question = float(values.mean(0).var(ddof=1)) / questions
    # Resampling with replacement understates each way's variance by (n - 1) / n.
    error = max(spread, by_seed + by_question, (0.5 / (seeds * questions)) ** 2)
    df = (by_seed + by_question) ** 2 / (by_seed**2 / (seeds - 1) + by_question**2 / (questions - 1) or 1e-300)
    reach = critical_value(level, max(1, int(df))) * error**0.5
    mean = float(values.mean())
    return TwoWay(
        mean, Interval(max(-1.0, mean - reach), min(1.0, mean + reach)), seeds, questions, float(values.mean(1).std(ddof=1))
    )
