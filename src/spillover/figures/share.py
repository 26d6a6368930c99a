"""A share of labelled answers, each of which stands for several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spillover.stats.correction import weighted_share
from spillover.stats.rates import Interval, critical_value, rate, wilson


@dataclass(frozen=True)
class Share:
    """A share of labelled answers, each standing for its weight.

    Attributes:
        value: Weighted share; NaN for no answer.
        interval: On questions like these where the weights are equal; else by the effective number of answers (Kish).
        n: Labelled answers.
    """

    value: float
    interval: Interval
    n: int


def share(rows: Iterable[tuple[str, bool, float]], level: float = 0.95) -> Share:
    """Weighted share of hits among (question, hit, weight)."""
    found = list(rows)
    if len({w for _, _, w in found}) <= 1:
        equal = rate(((q, hit) for q, hit, _ in found), level)
        return Share(equal.value, equal.population, equal.n)
    value = weighted_share((hit, w) for _, hit, w in found)
    size = sum(w for _, _, w in found) ** 2 / sum(w * w for _, _, w in found)
    return Share(value, wilson(value, size, critical_value(level, None)), len(found))
