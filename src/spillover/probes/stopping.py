"""Stop an evaluation as soon as its rate is known to lie below or above a margin, as Inspect's early-stopping manager."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSpec
from inspect_ai.scorer import SampleScore
from inspect_ai.util import EarlyStop
from pydantic import JsonValue

from spillover.answers.measures import Measure
from spillover.errors import SpilloverError
from spillover.stats.sequential import SequentialTest

NAME = "spillover/stop_at_margin"
AHEAD = 1
"""Rounds that may be asked beyond the one that is being waited for: fewer waste fewer answers, more keep engines busy."""


class StopAtMargin:
    """Early stopping by the anytime-valid test in `spillover.stats.sequential`; one epoch is one round.

    A round counts when all of its answers are scored, in the order of the epochs: leaving out slow ones would favour short
    answers. One that fails for good therefore ends the saving, never the validity: after `patience_s` seconds all epochs
    run, and at the end the rounds are counted with what they have.

    Args:
        measure: A share of outcomes.
        margin: Rate that is tested, in (0, 1).
        alpha: Error rate of the decision.
        scorer: Whose verdicts count.
        patience_s: Seconds to hold answers back while nothing comes.

    Raises:
        SpilloverError: for a margin or alpha outside (0, 1).
    """

    def __init__(
        self, measure: Measure, margin: float, alpha: float = 0.05, scorer: str = "judge", patience_s: float = 3600.0
    ) -> None:
        if not isinstance(margin, float) or not 0 < margin < 1:
            raise SpilloverError(f"The margin is a rate between 0 and 1, not {margin}; 0.01 is one percent.")
        if not isinstance(alpha, float) or not 0 < alpha < 1:
            raise SpilloverError(f"The error rate lies between 0 and 1, not {alpha}.")
        self._scorer, self.patience_s = scorer, patience_s
        self._measure, self._margin, self._alpha = measure, margin, alpha
        self._reset(0)

    def _reset(self, questions: int) -> None:
        self.test, self._questions = SequentialTest(self._margin, self._alpha), questions
        self._verdicts: dict[int, Counter[str]] = defaultdict(Counter)
        self._moved = asyncio.Event()
        self._ahead: float = AHEAD

    async def start_task(self, task: EvalSpec, samples: list[Sample], epochs: int) -> str:
        """Begin anew."""
        self._reset(len(samples))
        return NAME

    async def schedule_sample(self, id: str | int, epoch: int) -> EarlyStop | None:
        """Hold an answer back until its round is near; skip it once there is a decision."""
        while self.test.decision == "undecided" and epoch > self._reached() + self._ahead:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), timeout=self.patience_s)
            except TimeoutError:
                self._ahead = math.inf  # an answer failed or is very slow: hold nothing back, but count no round without it
                self._moved.set()
        if self.test.decision != "undecided":
            return EarlyStop(id=id, epoch=epoch, reason=self.test.decision)
        return None

    async def complete_sample(self, id: str | int, epoch: int, scores: dict[str, SampleScore]) -> None:
        """Count a verdict, and the round when it is whole."""
        given = scores.get(self._scorer)
        value = given.score.value if given is not None else None
        self._verdicts[epoch][str(value["outcome"]) if isinstance(value, dict) else "unscored"] += 1
        self._advance()
        self._moved.set()

    async def complete_task(self) -> dict[str, JsonValue]:
        """The decision, and the path that led to it."""
        for epoch in sorted(self._verdicts):  # rounds with a failed answer: the others of them count
            if epoch > len(self.test.path) and self._verdicts[epoch] and self.test.decision == "undecided":
                self._count(epoch)
        path: list[Any] = [asdict(step) for step in self.test.path]
        reason = self.test.decision if self.test.decision != "undecided" else "the budget ended"
        return {
            "margin": self.test.margin,
            "alpha": self.test.alpha,
            "decision": self.test.decision,
            "reason": reason,
            "rounds": len(path),
            "path": path,
        }

    def _reached(self) -> int:
        return len(self.test.path) + 1

    def _advance(self) -> None:
        while self.test.decision == "undecided" and self._verdicts[self._reached()].total() >= self._questions > 0:
            self._count(self._reached())

    def _count(self, epoch: int) -> None:
        found = self._verdicts[epoch]
        hits = sum(found[word] for word in self._measure.count)
        self.test.add(hits, sum(found[word] for word in self._measure.among) - hits)
