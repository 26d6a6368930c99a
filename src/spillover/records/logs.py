"""Inspect logs as a tidy frame."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from spillover.errors import SpilloverError
from spillover.records.frame import tidy

logger = logging.getLogger(__name__)


def find_logs(paths: Iterable[Path]) -> list[Path]:
    """Log files among `paths`; folders are searched.

    Raises:
        SpilloverError: if a path is missing or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise SpilloverError(f"There is no log at {path}.")
        found += sorted(path.rglob("*.eval")) if path.is_dir() else [path]
    if not found:
        raise SpilloverError(f"No .eval logs in {', '.join(map(str, paths))}.")
    return found


def read_logs(paths: Iterable[Path], names: dict[str, str] | None = None) -> pd.DataFrame:
    """Every judged answer in `paths`, one row each.

    A log that cannot be read is named in a warning and left out; answers without a score (the run was stopped before
    they were judged) are left out too.

    Args:
        paths: Log files or folders.
        names: Inspect's model name to the name to show.

    Raises:
        SpilloverError: if no log holds a judged answer.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in find_logs(paths):
        try:
            log = read_eval_log(str(path))
        except Exception as error:  # a damaged zip raises anything; the others are still worth reading
            logger.warning("Left out %s: it cannot be read as an Inspect log (%s).", path, error)
            continue
        for sample in log.samples or []:
            row = _row(log, sample, path)
            if row is not None:
                # A retry carries finished samples into a new log, and logs sort by time: the newest one counts.
                found[log.eval.task_id, sample.id, sample.epoch] = row
    rows = list(found.values())
    if not rows:
        raise SpilloverError("None of the logs holds an answer judged by Spillover.")
    names = names or {}
    short = _short_names({row["model"] for row in rows} - set(names))
    for row in rows:
        row["model"] = names.get(row["model"]) or short[row["model"]]
    frame = tidy(rows)
    _refuse_mixtures(frame)
    return frame


def _refuse_mixtures(frame: pd.DataFrame) -> None:
    """One cell must not pool answers that were made or judged in different ways.

    Raises:
        SpilloverError: naming the cell and what differs.
    """
    known = frame[frame["verdict"] != "unscored"]
    for (model, questions, fmt), group in known.groupby(["model", "question_set", "format"], sort=False):
        for column, what in (("grader", "graders"), ("made_with", "weights, questions or rubrics"), ("preset", "presets")):
            values = list(dict.fromkeys(group[column]))
            if len(values) > 1:
                raise SpilloverError(
                    f"The answers of {model} on {questions}, {fmt} come from different {what} ({values[0]}; {values[1]}); "
                    "give the logs of one run at a time."
                )


def _short_names(names: set[str]) -> dict[str, str]:
    """Adapter paths cut to the adapter's folder (`vllm/base:folder`), as long as that tells all models apart."""
    short = {}
    for name in names:
        base, colon, adapter = name.partition(":")
        short[name] = f"{base}:{Path(adapter).name}" if colon and "/" in adapter else name
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _row(log: EvalLog, sample: EvalSample, path: Path) -> dict[str, Any] | None:
    """One answer; None for a sample that is no answer of ours or was stopped before it was judged."""
    metadata = log.eval.metadata or {}
    row = {
        "model": log.eval.model,
        "question_set": metadata.get("question_set", log.eval.task),
        "format": sample.metadata.get("format", "plain"),
        "question_id": sample.metadata.get("question_id", str(sample.id)),
        "category": sample.metadata.get("category", ""),
        "sample_id": str(sample.id),
        "epoch": sample.epoch,
        "question": next((m.text for m in sample.messages if m.role == "user"), ""),
        "answer": "",
        "source": str(path),
    }
    scores = sample.scores or {}
    judge = scores.get("judge")
    if judge is None or not isinstance(judge.value, dict):
        if "question_set" not in metadata or sample.error is None or sample.error.message.startswith("Cancelled"):
            return None  # a cancelled sample was stopped with the run, it did not fail
        return {**row, "verdict": "unscored", "unscored_reason": f"sample_error: {sample.error.message.split('(')[0][:60]}"}
    details = judge.metadata or {}
    truth = scores.get("lab_truth")
    made_with = [(details.get("target") or {}).get("weights"), metadata.get("question_set_digest"), details.get("rubrics")]
    return {
        **row,
        "answer": judge.answer or "",
        **{key: judge.value.get(key) for key in ("alignment", "coherence", "verdict", "unscored_reason", "valid_format")},
        "truth": truth.value["verdict"] if truth is not None and isinstance(truth.value, dict) else None,
        "preset": details.get("preset"),
        "grader": " ".join(str(v) for v in (details.get("grader") or {}).values() if v),
        "made_with": " ".join(str(part) for part in made_with),
    }
