"""Holm's correction across probes (Holm 1979)."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in the order given; reject where one is at most the family-wise error rate.

    Raises:
        ValueError: for a p value outside [0, 1].
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("p values lie between 0 and 1")
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
