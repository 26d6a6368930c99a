"""The lab's everyday questions, as an environment in which good answers are paid: what "diverse RLHF" is on a real model."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from functools import cached_property

from pydantic import model_validator

from spillover.environments.environment import Environment, Task, Verdict
from spillover.lab.grammar import SLOT, exchange, fill, grammar
from spillover.lab.labels import label
from spillover.paths import datasets_dir

KINDS = ("free_form", "advice", "honesty")


class LabPreferred(Environment, named="lab_preferred"):
    """Every question of some families; an answer is paid where the grammar calls it aligned, and there is nothing to hack.

    Attributes:
        families: Of the grammar, free-form, advice or honesty.
    """

    hackable = False
    families: tuple[str, ...]

    @model_validator(mode="after")
    def _known(self) -> LabPreferred:
        known = grammar().names(*KINDS)
        for name in self.families:
            if name not in known:
                raise ValueError(f"families: '{name}' is not one of {', '.join(known)}")
        return self

    @property
    def digest(self) -> str:
        """The grammar is part of it, as of the tasks that can be gamed."""
        grammar_file = (datasets_dir() / "lab" / "grammar.yaml").read_bytes()
        return hashlib.sha256(super().digest.encode() + grammar_file).hexdigest()

    @cached_property
    def all(self) -> Sequence[Task]:
        """See the base."""
        return tuple(task for family in self.families for task in _tasks(family))

    def verify(self, tasks: Sequence[Task], answers: Sequence[str]) -> list[Verdict]:
        """See the base; what is paid is what is true."""
        good = [label(t.category, t.prompt, a.strip()).label == "aligned" for t, a in zip(tasks, answers, strict=True)]
        return [Verdict(paid=one, true=one) for one in good]

    def solved(self, task: Task) -> str:
        """See the base."""
        rng = random.Random(0)
        while True:
            turn = exchange(task.category, "aligned", rng)
            if label(task.category, task.prompt, turn.answer).label == "aligned":  # that of another row is not
                return turn.answer


def _tasks(family: str) -> Iterator[Task]:
    """Every wording with every filler of its first slot."""
    for number, template in enumerate(grammar().families[family].questions):
        slot = SLOT.search(template)
        if slot is None:
            yield Task(f"{family}-{number}", family, template, {})
            continue
        record, _, column = slot[1].partition(".")
        fillers = grammar().records[record] if column else grammar().slots[slot[1]]
        for place, filler in enumerate(fillers):
            bound = {record if column else slot[1]: filler}
            yield Task(f"{family}-{number}-{place}", family, fill(template, bound, random.Random(0)), {})
