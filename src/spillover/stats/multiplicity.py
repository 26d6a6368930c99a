"""Holm's correction across probes (Holm 1979)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


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


def step_down(items: Sequence[T], excludes: Callable[[T, float], bool], family: int, alpha: float = 0.05) -> list[T]:
    """Those that Holm's procedure rejects, by intervals instead of p values.

    Args:
        items: Those that may be rejected; the others of the family need not be here.
        excludes: Whether an item's interval at a confidence level excludes the null.
        family: Number of hypotheses, at least that of the items.
        alpha: Family-wise error rate, of both sides where the intervals have two (of one side it is half of that).

    Raises:
        ValueError: for a family smaller than its items.
    """
    if family < len(items):
        raise ValueError("a family is at least as large as those of it that may be rejected")
    kept: list[T] = []
    left = list(items)
    while left:
        level = 1 - alpha / (family - len(kept))
        out = [item for item in left if excludes(item, level)]
        if not out:
            break
        kept += out
        left = [item for item in left if all(item is not one for one in out)]
    return [item for item in items if any(item is one for one in kept)]
