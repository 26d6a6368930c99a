"""Several training seeds of one recipe: the rate of the recipe, with seeds and questions both sampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from spillover.stats.rates import Interval, critical_value


@dataclass(frozen=True)
class TwoWay:
    """Mean over training seeds and questions.

    Attributes:
        value: Mean of the table; a rate or a difference of rates.
        interval: For seeds and questions like these.
        seeds: Number of seeds.
        questions: Number of questions.
        seed_sd: Standard deviation of the seeds' means, NaN for one seed.
    """

    value: float
    interval: Interval
    seeds: int
    questions: int
    seed_sd: float


def two_way(table: ArrayLike, level: float = 0.95, least: float = 0.0, most: float = 1.0) -> TwoWay:
    """Mean of a table of seeds by questions with an interval for others of both.

    Each way has the variance of its own means and its own Student's t (seeds are few, and percentiles of three resampled
    seeds are far too narrow); their squared reaches are added, and laid out on the logit scale, where small rates are not
    squeezed against zero. What varies within a cell is in both ways, so it counts twice rather than never. The reach has a
    floor, one cell of the table, so that a table of zeros has no interval of zero width. Simulated coverage: see
    docs/statistics.md.

    Args:
        table: Rates or differences, shape (seeds, questions).
        level: Confidence level.
        least: Lowest value that the mean can have.
        most: Highest.

    Raises:
        ValueError: unless the table has two dimensions and at least two seeds and two questions, all of them numbers.
    """
    values: NDArray[np.float64] = np.asarray(table, dtype=float)
    if values.ndim != 2 or min(values.shape) < 2 or np.isnan(values).any():
        raise ValueError("the table needs at least two seeds and two questions, and a number in every cell")
    seeds, questions = values.shape
    mean, width = float(values.mean()), most - least
    ways = ((values.mean(1), seeds), (values.mean(0), questions))
    squares = sum(critical_value(level, n - 1) ** 2 * float(means.var(ddof=1)) / n for means, n in ways)
    reach = max(squares**0.5, width / (seeds * questions))
    half = 0.5 / (seeds * questions)
    centre = min(max((mean - least) / width, half), 1 - half)
    across = reach / width / (centre * (1 - centre))
    lower, upper = (least + width * float(expit(logit(centre) + side * across)) for side in (-1, 1))
    interval = Interval(min(lower, mean), max(upper, mean))
    return TwoWay(mean, interval, seeds, questions, float(values.mean(1).std(ddof=1)))
