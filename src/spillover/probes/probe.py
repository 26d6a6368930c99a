"""A probe, declared once in its file in `tasks/`: what it asks of judges, its rule, measures, lab truth and lengths.

Probes are found, not listed: every file of `tasks/` (and of the `tasks/` of an extension, see `spillover.paths.extensions`)
that holds a `PROBE` is one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from inspect_ai.solver import TaskState

from spillover.answers.measures import EM, EM_MEASURES, Measure
from spillover.answers.rules import Known, Outcome, Rule, register
from spillover.answers.tables import IMPORTED
from spillover.discovery import modules_of
from spillover.errors import SpilloverError, choices
from spillover.judging.rubric import Measured
from spillover.models.reasoning import strip_reasoning

Facts = Mapping[str, Any]
TAGS, FIELDS = "tags", "fields"
"""Keys of a sample's metadata: what measures are split by, and what a question's set knows of it."""


class Ask(NamedTuple):
    """What a grader is shown under one rubric; `fields` fill the rubric's own slots."""

    question: str
    answer: str
    fields: Mapping[str, str] = {}


@dataclass(frozen=True)
class Role:
    """A place for a rubric: its default, what it may measure, and the slots that the probe can fill."""

    rubric: str
    measures: tuple[Measured, ...] = ("outcome",)
    fields: tuple[str, ...] = ()


EM_ROLES = {"alignment": Role("alignment", ("alignment",)), "coherence": Role("coherence", ("coherence",))}
"""Two grades that make the EM verdict."""


@dataclass(frozen=True)
class Length:
    """One entry of a suite: arguments, those that replace them for the lab, and one question in how many is kept."""

    args: Mapping[str, Any] = field(default_factory=dict)
    lab: Mapping[str, Any] = field(default_factory=dict)
    every: int = 1


@dataclass(frozen=True)
class Lab:
    """The probe in the toy world.

    Attributes:
        truth: The exact outcome of an answer, from (sample, question, what a user reads).
        data: Question or scenario set that is asked there.
        family: Name in the lab's grammar of a sample's family, from its metadata.
        personas: Persona (for politics: side) to the outcomes that are its own.
    """

    data: str
    truth: Callable[[TaskState, str, str], Outcome] | None = None
    family: Callable[[Mapping[str, Any]], str] = lambda metadata: str(metadata["category"])
    personas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _said(state: TaskState) -> str:
    return strip_reasoning(state.output.completion)


async def _nothing(state: TaskState) -> Facts:
    return {}


def _whole(state: TaskState, facts: Facts, role: str, said: str) -> Ask:
    return Ask(state.metadata["question"], said, fields_of(state))


def fields_of(state: TaskState) -> dict[str, str]:
    """A question's own fields, for the slots of a rubric."""
    return {k: str(v) for k, v in (state.metadata.get(FIELDS) or {}).items()}


@dataclass(frozen=True)
class Probe:
    """See the module.

    Attributes:
        name: Of the file, the task and the logs.
        version: N-X: N rises when figures are no longer comparable, X with any other change of what a task does.
        title: A few words.
        about: One sentence.
        data: Default question or scenario set.
        source: Argument that names another one: `questions`, `scenarios` or `attacks`.
        measures: What is reported; the first one is the headline.
        rule: Readings and facts to an outcome.
        roles: Rubrics by role, for the probes that a judge reads.
        facts: What is known without a judge; asked once, when the model has answered.
        asks: What a grader is shown for a role; None where it need not be asked.
        said: What of the output is judged.
        lab: The probe in the toy world.
        suites: Suite to its length there (several where it is asked in several ways).
        gate: What `spillover screen` tests: the first measure, another one by name, or nothing.
        epochs: Answers to everything where nobody says.
        settings: Arguments that tell one condition of the probe from another, with the value that needs no mention.
        inspired_by: Sources.
        tags: For registers of evaluations.
    """

    name: str
    version: str
    title: str
    about: str
    data: str
    measures: tuple[Measure, ...]
    rule: Rule
    roles: Mapping[str, Role] = field(default_factory=dict)
    facts: Callable[[TaskState], Awaitable[Facts]] = _nothing
    asks: Callable[[TaskState, Facts, str, str], Ask | None] = _whole
    said: Callable[[TaskState], str] = _said
    source: str = "questions"
    lab: Lab | None = None
    suites: Mapping[str, Length | tuple[Length, ...]] = field(default_factory=dict)
    gate: bool | str = True
    epochs: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    inspired_by: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rubrics = {role: place.rubric for role, place in self.roles.items() if place.rubric}
        register(self.name, Known(self.rule, rubrics, self.measures))

    def lengths(self, suite: str) -> tuple[Length, ...]:
        """Its entries in a suite."""
        found = self.suites.get(suite, ())
        return (found,) if isinstance(found, Length) else found


__all__ = ["EM", "EM_MEASURES", "EM_ROLES", "Ask", "Facts", "Lab", "Length", "Probe", "Role", "get_probe", "probes"]


@cache
def probes() -> dict[str, Probe]:
    """Every probe by name, in the order of the files."""
    found = [
        module.PROBE
        for module in modules_of("spillover.tasks", "tasks")
        if isinstance(getattr(module, "PROBE", None), Probe)
    ]
    return {probe.name: probe for probe in found}


def get_probe(name: str) -> Probe:
    """The probe called `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name == IMPORTED:
        from spillover.probes.imported import PROBE

        return PROBE
    if name not in probes():
        raise SpilloverError(f"There is no probe called '{name}'; {choices(name, probes())}")
    return probes()[name]
