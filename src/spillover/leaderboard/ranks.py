"""Ranks with their uncertainty: the best and the worst place that what is known of the differences allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from spillover.leaderboard.board import Source, Value
from spillover.stats.multiplicity import holm
from spillover.stats.paired import paired_difference

ALPHA = 0.05
Told = Mapping[tuple[str, str], bool | None]
"""Two models to whether the first one's figure is higher; None where they are not told apart."""


def told_apart(sources: Mapping[str, Source], alpha: float = ALPHA) -> dict[tuple[str, str], bool | None]:
    """Which of two models has the higher figure, by paired differences over the questions that both were asked.

    All pairs are one family (Holm 1979). Pairs without questions in common, gaps and figures given by others are not in it.

    Args:
        sources: Model to its answers behind one column.
        alpha: Family-wise error rate.
    """
    found = {}
    for one, other in combinations(sources, 2):
        first, second = sources[one].counts, sources[other].counts
        pair = paired_difference(first, second) if first and second else None
        if pair is not None:
            found[one, other] = pair
    adjusted = holm([min(1.0, p) for _, p in found.values()])
    return {names: value > 0 if p <= alpha else None for (names, (value, _)), p in zip(found.items(), adjusted, strict=True)}


def ranks(values: Iterable[tuple[str, Value | None]], worse: str, told: Told | None = None) -> dict[str, tuple[int, int]]:
    """Best and worst rank of every model; 1 is the best. Equal ranges are ties.

    Args:
        values: Model and figure; None is not ranked.
        worse: `higher` if a low figure is good, `lower` if a high one is; `neither` ranks nobody.
        told: From `told_apart`; of any other pair the better one is known where their intervals do not meet.
    """
    rows = [(name, v) for name, v in values if v is not None]
    if worse == "neither":
        return {}
    below = dict.fromkeys((name for name, _ in rows), 0)
    above = dict(below)
    for (one, mine), (other, its) in combinations(rows, 2):
        higher = _higher(one, mine, other, its, told or {})
        if higher is not None:
            top, low = (one, other) if higher else (other, one)
            below[top] += 1
            above[low] += 1
    better, inferior = (below, above) if worse == "higher" else (above, below)
    return {name: (1 + better[name], len(rows) - inferior[name]) for name, _ in rows}


def _higher(one: str, mine: Value, other: str, its: Value, told: Told) -> bool | None:
    if (one, other) in told:
        return told[one, other]
    if (other, one) in told:
        known = told[other, one]
        return None if known is None else not known
    return True if its.upper < mine.lower else False if its.lower > mine.upper else None
