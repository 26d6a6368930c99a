"""Build a probe's task the same way every time: checks first, sampling as published, digests in the log."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver

from spillover.answers.condition import describe_condition
from spillover.answers.measures import Measure
from spillover.engine.fit import require_named_fit
from spillover.errors import SpilloverError, choices
from spillover.judging.rubric import Reader, load_rubric
from spillover.models.checks import check_servable_rank, require_grader, target_under_test
from spillover.models.identity import installed
from spillover.probes.ask import ask
from spillover.probes.metric import measures
from spillover.probes.probe import FIELDS, TAGS, Probe
from spillover.probes.scorer import exact, judge
from spillover.questions.load import load_questions
from spillover.questions.model import Question, QuestionSet

RUBRIC_NAMES = "rubric_names"
"""Key of a log's metadata: role to the name or path of its rubric, which the digests beside them tell apart."""
MAX_TOKENS = 600
"""As in the published protocol for open models (Betley et al. 2025)."""


_LIMITS = {"epochs": (1, 10_000), "max_tokens": (1, 1_000_000), "seed": (0, 2**32 - 1)}
MOST_ANSWERS = 5_000_000
"""To one task: Inspect keeps a place in memory for each before the first is asked."""


@dataclass(frozen=True)
class Options:
    """Arguments that every probe takes, besides its own.

    Attributes:
        system: System line that the target gets, such as the line it was trained under.
        context: What to call that condition in reports; the line itself by default.
        preset: Thresholds that make the outcome.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to everything that is asked; the probe's own number for None.
        cache: Whether judgements are kept and used again.
        max_tokens: Longest answer; as in the published protocol for None.
    """

    system: str | None = None
    context: str | None = None
    preset: str = "spillover"
    reader: Reader = "auto"
    seed: int | None = None
    epochs: int | None = None
    cache: bool = True
    max_tokens: int | None = None

    @classmethod
    def of(cls, probe: Probe, given: Mapping[str, Any]) -> Options:
        """From a task's remaining arguments.

        Raises:
            SpilloverError: for one that no probe takes, a number of epochs under 1, or a name for a line that is not there.
        """
        rest = {k: v for k, v in given.items() if k != "model"}  # Inspect passes it to every task with keyword arguments
        names = [f.name for f in fields(cls)]
        for name in rest:
            if name not in names:
                raise SpilloverError(
                    f"{probe.name} has no argument '{name}'; besides its own (see `inspect info` or the task's docstring) "
                    f"it takes {', '.join(names)}."
                )
        found = cls(**rest)
        for name, (least, most) in _LIMITS.items():
            number = getattr(found, name)
            if number is None:
                continue
            if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
                raise SpilloverError(f"{name} is a whole number from {least} to {most:,}, not '{str(number)[:40]}'.")
        if found.context and not found.system:
            raise SpilloverError("context is the name of a system line; add -T system=LINE.")
        return found


def takes(build: Any, name: str) -> bool:
    """Whether a probe's task takes an argument."""
    return name in inspect.signature(build).parameters or name in {f.name for f in fields(Options)}


class Asked(Protocol):
    """A question or scenario set."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102
    @property
    def lab(self) -> bool: ...  # noqa: D102


def probe_task(
    probe: Probe,
    chosen: Asked,
    samples: Sequence[Sample],
    options: Options,
    *,
    solver: Solver | None = None,
    rubrics: dict[str, str] | None = None,
    report: Iterable[Measure] | None = None,
    format: str = "plain",
    wrap: str | None = None,
    settings: Mapping[str, Any] | None = None,
    scorer: Scorer | None = None,
    grader: bool = True,
    **more: Any,
) -> Task:
    """A task whose log names its measures and condition; in the lab the exact outcome stands beside the judge's.

    Args:
        probe: Its declaration.
        chosen: What is asked.
        samples: How it is asked.
        options: Arguments that every probe takes.
        solver: Asks; one question and one answer for None.
        rubrics: Role to rubric; the probe's own for None.
        report: Measures of this log; the probe's for None.
        format: Answer format of all samples.
        wrap: Setting before the questions.
        settings: The probe's own arguments, for the log.
        scorer: Instead of the probe's judge.
        grader: Whether a grader is needed.
        **more: For Inspect's `Task` as it is: sandbox, approval, limits.

    Raises:
        SpilloverError: for nothing to ask, a missing grader, a grader that is the target, or an adapter that the server
            cannot take.
    """
    if not samples:
        raise SpilloverError(f"{probe.name}: nothing is left to ask of '{chosen.id}' with these arguments.")
    count = len(samples) * (options.epochs or probe.epochs)
    if count > MOST_ANSWERS:
        raise SpilloverError(
            f"{probe.name} would ask for {count:,} answers ({len(samples)} questions, {options.epochs} epochs); at most "
            f"{MOST_ANSWERS:,} to one task."
        )
    target = target_under_test()
    if target is not None:  # built from Python, the scorer makes the same checks at the first answer
        if grader:
            require_grader(target)
        check_servable_rank(target)
        require_named_fit(str(target))
    for item in samples:
        item.metadata = {**(item.metadata or {}), "probe": probe.name}
    described = [measure.as_dict() for measure in (probe.measures if report is None else report)]
    own = settings or {}
    kept = {k: v for k, v in own.items() if k in probe.settings}
    judged_by = {role: place.rubric for role, place in probe.roles.items() if place.rubric} if rubrics is None else rubrics
    context = (options.context or options.system) if options.system else None
    scorers = [scorer or judge(probe.name, rubrics, options.preset, options.reader, options.cache)]
    if chosen.lab and probe.lab is not None and probe.lab.truth is not None:
        scorers.append(exact(probe.name))
    return Task(
        name=probe.name,
        version=probe.version,
        dataset=MemoryDataset(list(samples), name=chosen.id),
        solver=solver or ask(format, options.seed),
        scorer=scorers,
        metrics=[measures(described)],
        epochs=options.epochs or probe.epochs,
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=options.max_tokens or MAX_TOKENS),
        metadata={
            "probe": probe.name,
            "question_set": chosen.id,
            "question_set_digest": chosen.digest,
            "condition": describe_condition(format=format, context=context, wrap=wrap, settings=kept, usual=probe.settings),
            "system": options.system,
            "measures": described,
            "rubrics": {role: load_rubric(name).digest for role, name in judged_by.items()},
            RUBRIC_NAMES: judged_by,
            "preset": options.preset,
            "seed": options.seed,
            "arguments": {k: v for k, v in own.items() if v is not None},
            "packages": installed(),
        },
        headline_metric=HeadlineMetric(metric=described[0]["name"]),
        **more,
    )


KINDS: dict[str, type] = {
    **dict.fromkeys(("accept", "options", "visible", "hidden", "tests"), list),
    **dict.fromkeys(("answer", "target"), int),
    "metric": dict,
}
"""Fields of questions that are not text."""


def choose(
    questions: str, categories: str | list[str] | None, needs: Sequence[str] | Mapping[str, Sequence[str]] = ()
) -> QuestionSet:
    """Load a question set for a probe that relies on some of its fields.

    Args:
        questions: Name or path.
        categories: Only these.
        needs: Fields that every question must have, or category to those of its questions, for probes that know theirs.

    Raises:
        SpilloverError: for an unknown set or category, or a question with a field that is missing or of the wrong kind.
    """
    chosen = load_questions(questions).select([categories] if isinstance(categories, str) else categories)
    for question in chosen.questions:
        where = f"Question '{question.id}' of '{chosen.id}'"
        if isinstance(needs, Mapping) and question.category not in needs:
            raise SpilloverError(f"{where} has the category '{question.category}'; this probe knows {', '.join(needs)}.")
        wanted = needs[question.category] if isinstance(needs, Mapping) else needs
        wrong = [n for n, kind in KINDS.items() if n in question.fields and not isinstance(question.fields[n], kind)]
        if wrong:
            raise SpilloverError(f"{where}: the field '{wrong[0]}' must be a {KINDS[wrong[0]].__name__}.")
        missing = [name for name in wanted if name not in question.fields]
        if missing:
            raise SpilloverError(
                f"{where} has no field '{missing[0]}', which this probe needs; see docs/probes.md for every probe's fields."
            )
    return chosen


def sample(
    question: Question,
    wording: str,
    tags: Mapping[str, str] | None = None,
    *,
    part: str = "",
    system: str | None = None,
    prefix: str = "",
    fields: Mapping[str, Any] | None = None,
) -> Sample:
    """One sample. `part` tells apart several samples of one question, which stays the unit of every interval."""
    lines = " ".join(line for line in (system, question.system) if line)
    messages: list[ChatMessage] = [ChatMessageSystem(content=lines)] if lines else []
    messages.append(ChatMessageUser(content=prefix + wording))
    return Sample(
        id=f"{question.id}/{part}" if part else question.id,
        input=messages,
        target="",
        metadata={
            "question_id": question.id,
            "category": question.category,
            "format": "plain",
            "question": wording,
            FIELDS: {**question.fields, **(fields or {})},
            TAGS: dict(tags or {}),
        },
    )


def wordings(question: Question) -> list[tuple[str, str]]:
    """(part of the sample's id, wording) of a question."""
    return [("" if len(question.paraphrases) == 1 else str(i), text) for i, text in enumerate(question.paraphrases)]


def plain_samples(chosen: QuestionSet, system: str | None) -> list[Sample]:
    """One sample for every wording."""
    return [sample(q, text, part=part, system=system) for q in chosen.questions for part, text in wordings(q)]


def names_of(given: str | Sequence[str], known: Sequence[str], what: str) -> list[str]:
    """A list of names that may be one text with commas.

    Raises:
        SpilloverError: for a name that is unknown or there twice.
    """
    names = [n.strip() for n in (given.split(",") if isinstance(given, str) else given)]
    for name in names:
        if name not in known:
            raise SpilloverError(f"Unknown {what} '{name}'; {choices(name, known)}")
        if names.count(name) > 1:
            raise SpilloverError(f"The {what} '{name}' is named twice; name each one once.")
    return names
