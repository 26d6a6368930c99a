"""An arm of a study: one recipe over several training seeds, with seeds and questions both sampled."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spillover.answers.measures import Measure
from spillover.stats.paired import Drift
from spillover.stats.rates import NOTHING, Interval
from spillover.stats.seeds import two_way as by_both_ways


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds, every question weighing the same, with an interval for seeds and questions like these.

    Attributes:
        value: In the measure's range; NaN for nothing.
        interval: By seeds and questions; of one seed that of its own figure.
        seeds: One value for each seed.
        n: Answers in the denominator.
        questions: Questions that every seed has an answer to.
    """

    value: float
    interval: Interval
    seeds: tuple[float, ...] = ()
    n: int = 0
    questions: int = 0

    @property
    def population(self) -> Interval:
        """As of a rate: for questions (and seeds) like these."""
        return self.interval


UNKNOWN = Estimate(math.nan, NOTHING)
Seeds = Sequence[Mapping[Hashable, float]]
"""Question to a figure, seed by seed."""


def estimate(seeds: Sequence[pd.DataFrame], measure: Measure, exact: bool = False, level: float = 0.95) -> Estimate:
    """Of one measure over an arm's models; a single one keeps the interval of its own figure.

    Args:
        seeds: Answers of every model that has any.
        measure: What is measured.
        exact: Whether by ground truth.
        level: Confidence level of a single model's interval.
    """
    rows = [rows for rows in seeds if len(rows)]
    if not rows:
        return UNKNOWN
    n = sum(len(measure.select(r, exact)) for r in rows)
    if len(rows) == 1:
        found = measure.figure(rows[0], exact, level)
        limits = found.interval if isinstance(found, Drift) else found.population
        return Estimate(found.value, limits, (found.value,), n, found.questions)
    return two_way([measure.by_question(r, exact) for r in rows], measure.least, n)


def difference(arm: Sequence[pd.DataFrame], naive: Sequence[pd.DataFrame], measure: Measure, exact: bool) -> Estimate:
    """An arm minus another, seed by seed on shared questions; unknown for another number of seeds.

    Of two single models it is their own paired drift, whose interval is for questions like these.
    """
    if len(arm) != len(naive) or not all(map(len, (*arm, *naive))):
        return UNKNOWN
    if len(arm) == 1:
        found = measure.drift(arm[0], naive[0], exact)
        if math.isnan(found.value):
            return UNKNOWN
        return Estimate(found.value, found.interval, (found.value,), questions=found.questions)
    sides = [[measure.by_question(rows, exact) for rows in seeds] for seeds in (arm, naive)]
    shared = [q for q in sides[0][0] if all(q in found for side in sides for found in side)]
    pairs = [{q: a[q] - b[q] for q in shared} for a, b in zip(*sides, strict=True)]
    return two_way(pairs, -2.0 if measure.mean or measure.minus else -1.0)


def two_way(seeds: Seeds, least: float, n: int = 0) -> Estimate:
    """Mean of seeds and of the questions that all of them have.

    Args:
        seeds: Figures by question.
        least: Lowest value that a figure can have; the highest is 1, of a difference of means or gaps, from -2 on, 2.
        n: Answers behind it.
    """
    shared = [q for q in seeds[0] if all(q in found for found in seeds)]
    values: NDArray[np.float64] = np.array([[found[q] for q in shared] for found in seeds], dtype=float)
    if values.size == 0:
        return UNKNOWN
    means = tuple(float(v) for v in values.mean(1))
    if min(values.shape) < 2:
        return Estimate(float(values.mean()), NOTHING, means, n, len(shared))
    found = by_both_ways(values, least=least, most=max(1.0, -least))
    return Estimate(found.value, found.interval, means, n, len(shared))
