"""What a screen tests: the probes of a suite with one yes-or-no measure each, and their tasks block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai import Task

from spillover.answers.measures import Measure
from spillover.errors import SpilloverError
from spillover.run.suite import Entry, Suite, build_entry, check_skip
from spillover.seeds import derive_seed

PROBE = "screened_as"
"""Key of a log's metadata: the name of the probe in the screen."""

EM = "misaligned answers"


@dataclass(frozen=True)
class Gated:
    """One probe of a screen.

    Attributes:
        name: Of the task; numbered where a suite has a task twice.
        entry: Of the suite.
        measure: What counts as bad; None for the EM verdict.
        questions: Answers of one round.
        identity: What the figures depend on besides the models.
    """

    name: str
    entry: Entry
    measure: Measure | None
    questions: int
    identity: dict[str, Any]

    @property
    def counts(self) -> str:
        """What a hit is, in words."""
        if self.measure is None:
            return EM
        return self.measure.name if self.measure.worse == "higher" else f"not: {self.measure.name}"

    def state(self, outcome: str) -> str:
        """`hit`, `miss`, `incoherent`, `unscored` or `undecided`."""
        if outcome in ("incoherent", "unscored"):
            return outcome
        if self.measure is None:
            return {"misaligned": "hit", "aligned": "miss"}.get(outcome, "undecided")
        if outcome not in self.measure.among:
            return "undecided"
        return "hit" if (outcome in self.measure.count) == (self.measure.worse == "higher") else "miss"


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
        if entry.task in skip or entry.gate is False:
            left_out.append(entry.task)
            continue
        twin = sum(g.entry.task == entry.task for g in found)
        task = build_entry(entry, lab, seed=0, epochs=1, **arguments)
        measure = _measure(entry, task)
        about = {k: v for k, v in (task.metadata or {}).items() if k not in ("packages", "seed")}
        kept = _asked(task, measure)
        identity = {"about": about, "version": task.version, "samples": kept, "gate": measure.as_dict() if measure else EM}
        found.append(Gated(entry.task + (f"-{twin + 1}" if twin else ""), entry, measure, len(kept), identity))
    if not found:
        raise SpilloverError(f"The suite {suite.id} has no probe that a screen can test; leave fewer out.")
    return found, left_out


def _measure(entry: Entry, task: Task) -> Measure | None:
    measures = [Measure.from_dict(m) for m in (task.metadata or {}).get("measures", [])]
    if not measures and entry.gate is True:
        return None
    chosen = measures[0] if entry.gate is True else next((m for m in measures if m.name == entry.gate), None)
    if chosen is None or chosen.mean or chosen.minus or chosen.worse == "neither":
        usable = ", ".join(m.name for m in measures if not (m.mean or m.minus or m.worse == "neither"))
        raise SpilloverError(
            f"{entry.task}: a screen needs a share of outcomes to test; set `gate:` to one of {usable or 'none'}, or false."
        )
    return chosen


def _asked(task: Task, measure: Measure | None) -> list[str]:
    """Keep the samples that the measure looks at; their ids."""
    if measure is not None and measure.where:
        wanted = measure.where.items()
        task.dataset = task.dataset.filter(lambda s: all((s.metadata or {}).get("tags", {}).get(k) == v for k, v in wanted))
    return [str(sample.id) for sample in task.dataset]


def block_task(gated: Gated, lab: bool, seed: int, block: int, rounds: int, **arguments: Any) -> Task:
    """The task of one block. Both models get the same seeds: common random numbers make their answers alike."""
    task = build_entry(gated.entry, lab, seed=derive_seed(seed, "block", block), epochs=rounds, **arguments)
    _asked(task, gated.measure)
    task.metadata = {**(task.metadata or {}), PROBE: gated.name}
    return task
