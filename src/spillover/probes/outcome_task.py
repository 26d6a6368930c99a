"""What the thin files of the outcome probes share: samples with tags, and tasks that report measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver

from spillover.answers.measures import Measure
from spillover.errors import SpilloverError
from spillover.lab.outcomes import PROBES, lab_outcome
from spillover.probes.ask import ask
from spillover.probes.build import build_task
from spillover.probes.outcome import TAGS, measures
from spillover.questions.load import load_questions
from spillover.questions.model import Question, QuestionSet
from spillover.situations.scenario import ScenarioSet

FIELDS = "fields"


KINDS: dict[str, type] = {
    **dict.fromkeys(("accept", "options", "visible", "hidden", "tests"), list),
    **dict.fromkeys(("answer", "target"), int),
    "metric": dict,
}
"""Fields that are not text."""


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
        if isinstance(needs, Mapping) and question.category not in needs:
            raise SpilloverError(
                f"Question '{question.id}' of '{chosen.id}' has the category '{question.category}'; this probe knows "
                f"{', '.join(needs)}."
            )
        wanted = needs[question.category] if isinstance(needs, Mapping) else needs
        wrong = [n for n, kind in KINDS.items() if n in question.fields and not isinstance(question.fields[n], kind)]
        if wrong:
            raise SpilloverError(
                f"Question '{question.id}' of '{chosen.id}': the field '{wrong[0]}' must be a {KINDS[wrong[0]].__name__}."
            )
        missing = [name for name in wanted if name not in question.fields]
        if missing:
            raise SpilloverError(
                f"Question '{question.id}' of '{chosen.id}' has no field '{missing[0]}', which this probe needs; "
                "see docs/probes.md for the fields of every probe."
            )
    return chosen


def sample(
    question: Question, wording: str, tags: dict[str, str], *, part: str = "", system: str | None = None, prefix: str = ""
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
            FIELDS: question.fields,
            TAGS: {"category": question.category, **tags},
        },
    )


def wordings(question: Question) -> list[tuple[str, str]]:
    """(part of the sample's id, wording) of a question."""
    return [("" if len(question.paraphrases) == 1 else str(i), text) for i, text in enumerate(question.paraphrases)]


def outcome_task(
    *,
    name: str,
    version: str,
    unknown: dict[str, Any],
    chosen: QuestionSet | ScenarioSet,
    samples: list[Sample],
    scorer: Scorer,
    specs: Sequence[Measure],
    epochs: int,
    seed: int | None,
    system: str | None,
    context: str | None,
    solver: Solver | None = None,
    grader: bool = True,
    metadata: dict[str, Any] | None = None,
    **more: Any,
) -> Task:
    """A task whose log names its measures; in the lab the exact outcome stands beside the judge's.

    Raises:
        SpilloverError: as `build_task`; for no samples at all, and for a context without a system line.
    """
    if context and not system:
        raise SpilloverError("context is the name of a system line; add -T system=LINE.")
    if not samples:
        raise SpilloverError(f"{name}: nothing is left to ask of '{chosen.id}' with these arguments.")
    for item in samples:
        item.metadata = {**(item.metadata or {}), "probe": name}
    described = [spec.as_dict() for spec in specs]
    return build_task(
        name=name,
        version=version,
        unknown=unknown,
        dataset=MemoryDataset(samples, name=chosen.id),
        solver=solver or ask("plain", seed),
        scorer=[scorer, lab_outcome(name)] if chosen.lab and name in PROBES else [scorer],
        epochs=epochs,
        headline_metric=specs[0].name,
        needs_grader=grader,
        metrics=[measures(described)],
        metadata={
            "probe": name,
            "question_set": chosen.id,
            "question_set_digest": chosen.digest,
            "context": context or system,
            "system": system,
            "measures": described,
            "seed": seed,
            **(metadata or {}),
        },
        **more,
    )
