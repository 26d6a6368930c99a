"""Which probes go on, how many rounds they get next, and what is decided: no model is asked here."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from spillover.stats.multiplicity import holm
from spillover.stats.paired_sequential import PairedTest, Pairs, pairs_to_go

Finding = Literal["below the margin", "above the margin", "undecided"]

FIRST_PAIRS, GROWTH = 16, 1.5
"""Pairs of the first block at least, and how much longer everything asked so far becomes with each block."""
ALONE = 2
"""Blocks in which suspects are asked alone."""
SPARE = 1.15
"""Part by which the projected number of pairs is exceeded: a block that just misses costs another one."""


def block_rounds(questions: int, block: int) -> int:
    """Rounds of the block with this index: the same for every screen, so that a stored baseline has the same ones."""

    def until(count: int) -> int:
        first = max(1, math.ceil(FIRST_PAIRS / questions))
        return math.ceil(first * GROWTH ** (count - 1)) if count else 0

    return until(block + 1) - until(block)


@dataclass
class Runner:
    """One probe of a screen.

    Attributes:
        name: Of the probe.
        questions: Pairs of a whole round.
        test: What is known.
        asked: Rounds so far.
        began: Block in which it was first asked; None before that.
    """

    name: str
    questions: int
    test: PairedTest
    asked: int = 0
    began: int | None = None


@dataclass
class Race:
    """Several probes under one error rate.

    A checkpoint fails if any probe does, so the p values of failing are corrected by Holm's method; it passes only if every
    probe does, which needs no correction (an intersection-union test: Berger 1982). Both kinds of p value hold at any time,
    so the decisions hold whenever the race is stopped.

    Attributes:
        margin: Drift that is tested, in (0, 1).
        alpha: Error rate of a wrong PASS, and of a wrong FAIL.
        runners: The probes.
        block: Index of the next block.
        suspects: Probes that are asked alone at first; who is one must not depend on any answer.
    """

    margin: float
    alpha: float
    runners: list[Runner] = field(default_factory=list)
    block: int = 0
    suspects: Collection[str] = ()

    @classmethod
    def of(cls, questions: dict[str, int], margin: float, alpha: float, suspects: Collection[str] = ()) -> Race:
        """A race of probes, by name to the number of their questions."""
        runners = [Runner(n, q, PairedTest(margin, alpha)) for n, q in questions.items()]
        return cls(margin, alpha, runners, suspects=suspects)

    def findings(self) -> dict[str, Finding]:
        """What is decided so far, by probe."""
        failing = holm([r.test.p_fail for r in self.runners])
        return {
            r.name: "above the margin"
            if p <= self.alpha
            else "below the margin"
            if r.test.p_pass <= self.alpha
            else "undecided"
            for r, p in zip(self.runners, failing, strict=True)
        }

    def plan(
        self,
        answers_left: float,
        answers_each: int = 2,
        most: dict[str, int] | None = None,
        reopened: Collection[str] = (),
    ) -> dict[str, int]:
        """Rounds of the next block for every probe that is undecided; empty when there is nothing left to do.

        Args:
            answers_left: Answers that may still be asked for.
            answers_each: Answers that a pair costs (1 with a stored baseline).
            most: Rounds that a stored baseline has for this block, by probe; what is not used of them is lost, so all are.
            reopened: Probes that go on although they are decided.
        """
        bars = (math.log(1 / self.alpha), math.log(len(self.runners) / self.alpha))
        out: dict[str, int] = {}
        findings = self.findings()
        alone = self.block < ALONE and any(findings[name] == "undecided" for name in self.suspects)
        for runner in self.runners:
            if findings[runner.name] != "undecided" and runner.name not in reopened:
                continue
            if alone and runner.name not in self.suspects:
                continue
            # Who was left out at first grows from where it began.
            began = (self.block if runner.began is None else runner.began) if self.suspects else 0
            rounds = block_rounds(runner.questions, self.block - began)
            decided = sum(runner.test.worst)
            if decided and most is None and runner.name not in reopened:
                needed = SPARE * pairs_to_go(runner.test.worst, self.margin, bars) / (decided / runner.asked)
                rounds = min(rounds, max(1, math.ceil(needed))) if needed < math.inf else rounds
            if most is not None:
                rounds = min(rounds, most.get(runner.name, 0))
            rounds = min(rounds, math.floor(answers_left / (answers_each * runner.questions)))
            if rounds > 0:
                out[runner.name] = rounds
                answers_left -= rounds * answers_each * runner.questions
        if alone and not out:  # the suspects do not fit what is left, and others may
            return replace(self, suspects=()).plan(answers_left, answers_each, most, reopened)
        return out

    def add(self, found: Mapping[str, Sequence[Pairs]], worst: Mapping[str, Sequence[Pairs]] = MappingProxyType({})) -> None:
        """Add a block: the decided pairs of every round, by probe, and as they are at worst."""
        for runner in self.runners:
            rounds = found.get(runner.name, ())
            if rounds and runner.began is None:
                runner.began = self.block
            for pairs, bad in zip(rounds, worst.get(runner.name, rounds), strict=True):
                runner.test.add(pairs, bad)
                runner.asked += 1
        self.block += 1
