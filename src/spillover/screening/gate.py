"""What a screen tests: the probes of a suite with one yes-or-no measure each, and what is asked block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai import Task

from spillover.answers.measures import UNSCORED, Measure
from spillover.errors import SpilloverError
from spillover.probes.build import RUBRIC_NAMES
from spillover.run.suite import Entry, Suite, check_skip
from spillover.run.tasks import TaskSpec
from spillover.seeds import derive_seed


@dataclass(frozen=True)
class Gated:
    """One probe of a screen.

    Attributes:
        name: Of the task; numbered where a suite has a task twice.
        spec: How it is asked.
        measure: What counts as bad.
        questions: Answers of one round.
        identity: What the figures depend on besides the models.
    """

    name: str
    spec: TaskSpec
    measure: Measure
    questions: int
    identity: dict[str, Any]

    @property
    def counts(self) -> str:
        """What a hit is, in words."""
        return self.measure.name if self.measure.worse == "higher" else f"not: {self.measure.name}"

    def state(self, outcome: str) -> str:
        """`hit`, `miss`, `incoherent`, `unscored` or `undecided`."""
        if outcome == UNSCORED:
            return outcome
        if outcome in self.measure.bad:
            return "hit"
        if outcome == "incoherent":
            return outcome
        return "miss" if outcome in self.measure.among else "undecided"


def gated_probes(suite: Suite, lab: bool, skip: Sequence[str], **arguments: Any) -> tuple[list[Gated], list[str]]:
    """The probes that are tested, and the names of those of the suite that are not.

    Args:
        suite: From `load_suite`.
        lab: Whether the lab's own questions are asked.
        skip: Probes to leave out.
        **arguments: Of the tasks: sandbox, preset.

    Raises:
        SpilloverError: for a probe to skip that is not there, a gate that is no measure, or if nothing is left.
    """
    check_skip(suite, skip)
    found: list[Gated] = []
    left_out = []
    for entry in suite.entries:
        if entry.task in skip or entry.gated is False:
            left_out.append(entry.task)
            continue
        twin = sum(g.spec.task == entry.task for g in found)
        name = entry.task + (f"-{twin + 1}" if twin else "")
        spec = entry.spec(lab).given(seed=0, epochs=1, **arguments)
        measure = _measure(entry, spec.build())
        spec = spec.model_copy(update={"where": measure.where, "label": name})
        task = spec.build()
        about = {k: v for k, v in (task.metadata or {}).items() if k not in ("packages", "seed", RUBRIC_NAMES)}
        kept = [str(sample.id) for sample in task.dataset]
        identity = {"about": about, "version": task.version, "samples": kept, "gate": measure.as_dict()}
        found.append(Gated(name, spec, measure, len(kept), identity))
    if not found:
        raise SpilloverError(f"The suite {suite.id} has no probe that a screen can test; leave fewer out.")
    return found, left_out


def _measure(entry: Entry, task: Task) -> Measure:
    measures = [Measure.from_dict(m) for m in (task.metadata or {}).get("measures", [])]
    chosen = measures[0] if entry.gated is True else next((m for m in measures if m.name == entry.gated), None)
    if chosen is None or not chosen.gateable or not chosen.among:
        usable = ", ".join(m.name for m in measures if m.gateable and m.among)
        raise SpilloverError(
            f"{entry.task}: a screen needs a share of outcomes to test; set `gate:` to one of {usable or 'none'}, or false."
        )
    return chosen


def block_spec(gated: Gated, seed: int, block: int, rounds: int) -> TaskSpec:
    """The task of one block. Both models get the same seeds: common random numbers make their answers alike."""
    return gated.spec.given(seed=derive_seed(seed, "block", block), epochs=rounds)
