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

from spillover.answers.tables import read_answers
from spillover.models.identity import TARGET

IMPORTED = "imported/"
"""What stands before the name of a model whose answers came from a table: Inspect's names have a provider."""


def answers_log(rows: Iterable[dict[str, str]], model: str) -> EvalLog:
    """A finished log of one model's answers, not judged yet.

    Args:
        rows: `question` and `answer`, and as far as known `question_id`, `category`, `format`, `system`.
        model: Who answered.
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
            task="imported",
            task_id=digest[:22],
            dataset=EvalDataset(name="imported", samples=len(samples)),
            model=IMPORTED + model,
            config=EvalConfig(epochs=max(seen.values(), default=1)),
            metadata={"question_set": "imported", "imported": True},
        ),
        plan=EvalPlan(),
        stats=EvalStats(),
        results=EvalResults(total_samples=len(samples), completed_samples=len(samples)),
        samples=samples,
    )


def logs_of_table(path: Path, columns: dict[str, str]) -> list[EvalLog]:
    """One log for every model in a table of answers.

    Raises:
        SpilloverError: if the table has no column for question or answer.
    """
    by_model: dict[str, list[dict[str, str]]] = {}
    for row in read_answers(path, columns):
        by_model.setdefault(row["model"], []).append(row)
    return [answers_log(rows, model) for model, rows in by_model.items()]
