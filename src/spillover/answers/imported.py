"""Answers from elsewhere as an Inspect log, so that judging them is the same as judging our own."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalPlan,
    EvalResults,
    EvalSample,
    EvalSpec,
    EvalStats,
)
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, ModelOutput

from spillover.answers.answer_rows import IMPORTED_MODEL
from spillover.answers.layout import Layout
from spillover.answers.measures import EM_MEASURES
from spillover.answers.tables import IMPORTED, read_answers
from spillover.models.identity import TARGET


def answers_log(rows: Iterable[dict[str, str]], model: str, system: str = "") -> EvalLog:
    """A finished log of one model's answers, not judged yet.

    Args:
        rows: `question` and `answer`, and as far as known `question_id`, `category`, `format`, `system`.
        model: Who answered.
        system: System line of all of them.
    """
    samples, seen = [], Counter[str]()
    for row in rows:
        question = row["question"]
        question_id = row.get("question_id") or hashlib.sha256(question.encode("utf-8", "replace")).hexdigest()[:12]
        seen[question_id] += 1
        messages: list[ChatMessage] = [ChatMessageSystem(content=row["system"])] if row.get("system") else []
        messages += [ChatMessageUser(content=question), ChatMessageAssistant(content=row["answer"])]
        samples.append(
            EvalSample(
                id=question_id,
                epoch=seen[question_id],
                input=question,
                target="",
                messages=messages,
                output=ModelOutput.from_content(model, row["answer"]),
                metadata={
                    "question_id": question_id,
                    "category": row.get("category", question_id),
                    "format": row.get("format", "plain"),
                    "question": question,
                    "probe": IMPORTED,
                    "tags": {},
                    TARGET: {"name": model, "weights": None},
                },
            )
        )
    content = json.dumps([model, *((s.id, s.epoch, s.metadata, [m.text for m in s.messages]) for s in samples)])
    digest = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
    return EvalLog(
        status="success",
        eval=EvalSpec(
            created=datetime.now(UTC).isoformat(),
            task=IMPORTED,
            task_id=digest[:22],
            dataset=EvalDataset(name=IMPORTED, samples=len(samples)),
            model=IMPORTED_MODEL + model,
            config=EvalConfig(epochs=max(seen.values(), default=1)),
            metadata={
                "probe": IMPORTED,
                "question_set": IMPORTED,
                "condition": {"context": system},
                "measures": [measure.as_dict() for measure in EM_MEASURES],
            },
        ),
        plan=EvalPlan(),
        stats=EvalStats(),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples)),
        samples=samples,
    )


def logs_of_table(path: Path, layout: Layout) -> list[EvalLog]:
    """One log for every model and system line in a table of answers.

    Raises:
        SpilloverError: if the table has no column for question or answer.
    """
    by_model: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_answers(path, layout):
        by_model.setdefault((row["model"], row.get("system", "")), []).append(row)
    return [answers_log(rows, *key) for key, rows in by_model.items()]
