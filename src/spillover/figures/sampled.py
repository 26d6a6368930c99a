"""What reinforcement sampled, arm by arm: hacks, solutions, reward and what can go wrong, along the steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Steps = Sequence[Mapping[str, float]]
ENDS = 5
"""Steps at the beginning, and at the end, that a share is the mean of."""


@dataclass(frozen=True)
class Sampled:
    """One arm that was trained by reinforcement.

    Attributes:
        name: Of the arm.
        seeds: The steps of each training seed: shares by label in [0, 1], reward, KL, length, share without a signal.
        onsets: First step of each seed at which hacks outnumbered correct answers; None where they never did.
    """

    name: str
    seeds: tuple[Steps, ...]
    onsets: tuple[int | None, ...]

    def first(self, *keys: str) -> float:
        """Mean over the first steps of all seeds."""
        return _mean([_sum(step, keys) for seed in self.seeds for step in seed[:ENDS]])

    def last(self, *keys: str) -> float:
        """Mean over the last steps of all seeds."""
        return _mean([_sum(step, keys) for seed in self.seeds for step in seed[-ENDS:]])

    def mean(self, key: str) -> float:
        """Mean over all steps that have it."""
        return _mean([step[key] for seed in self.seeds for step in seed if key in step])

    def along(self, *keys: str) -> list[float]:
        """Mean of the seeds, step by step, as far as all of them go."""
        length = min(map(len, self.seeds))
        return [_mean([_sum(seed[i], keys) for seed in self.seeds]) for i in range(length)]


def sampled(cards: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Sampled]:
    """Arms with roll-outs.

    Args:
        cards: Arm to the cards of its organisms, one for each seed.
    """
    out = []
    for arm, its in cards.items():
        with_steps = [card for card in its if card.get("rollouts")]
        if with_steps:
            steps = tuple(tuple(card["rollouts"]) for card in with_steps)
            out.append(Sampled(arm, steps, tuple(card.get("onset") for card in with_steps)))
    return out


def _sum(step: Mapping[str, float], keys: Sequence[str]) -> float:
    known = [step[k] for k in keys if k in step]
    return sum(known) if known else math.nan


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan
