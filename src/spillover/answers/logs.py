"""Inspect logs as a tidy frame."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from spillover.answers.frame import of_judge, tidy
from spillover.answers.imported import IMPORTED
from spillover.answers.tables import ENDINGS
from spillover.errors import SpilloverError
from spillover.models.conversation import last_question

logger = logging.getLogger(__name__)


_MIXED = (
    ("grader", "graders", "choose one with --judge, or compare them with `spillover agree`"),
    ("rubrics", "rubrics", "choose one with --judge, or compare them with `spillover agree`"),
    ("made_with", "weights or questions", "give the logs of one run at a time"),
    ("preset", "presets", "give the logs of one run at a time"),
)


class NoAnswers(SpilloverError):
    """The logs can be read and hold nothing to report."""


def find_logs(paths: Iterable[Path]) -> list[Path]:
    """Log files among `paths`; folders are searched.

    Raises:
        SpilloverError: if a path is missing or nothing is found.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise SpilloverError(f"There is no log at {path}.")
        if path.suffix in ENDINGS:
            raise SpilloverError(f"{path} is a table, not an Inspect log; use `spillover import {path}`.")
        found += sorted(p for p in path.rglob("*.eval") if not p.name.startswith(".")) if path.is_dir() else [path]
    if not found:
        raise SpilloverError(f"No .eval logs in {', '.join(map(str, paths))}.")
    return found


def read_logs(
    paths: Iterable[Path], names: dict[str, str] | None = None, judge: str | None = None, mixed: bool = False
) -> pd.DataFrame:
    """Every judged answer in `paths`, one row each.

    A log that cannot be read is named in a warning and left out; answers without a score (the run was stopped before
    they were judged) are left out too.

    Args:
        paths: Log files or folders.
        names: Inspect's model name to the name to show.
        judge: Part of the name of the one judge whose scores are read.
        mixed: Whether several judges may have scored the same answers.

    Raises:
        NoAnswers: if no log holds a judged answer.
        SpilloverError: if (unless `mixed`) a cell was made or judged in different ways.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for path in find_logs(paths):
        try:
            log = read_eval_log(str(path))
        except Exception as error:  # a damaged zip raises anything; the others are still worth reading
            logger.warning("Left out %s: it cannot be read as an Inspect log (%s).", path, error)
            continue
        for sample in log.samples or []:
            for row in _rows(log, sample, path):
                # A retry carries finished samples into a new log, and logs sort by time: the newest one counts, but no
                # failure replaces a score.
                key = (log.eval.task_id, sample.id, sample.epoch, row.get("grader"), row.get("rubrics"), row.get("preset"))
                if key not in found or row["verdict"] != "unscored" or found[key]["verdict"] == "unscored":
                    found[key] = row
    rows = list(found.values())
    if not rows:
        raise NoAnswers("None of the logs holds an answer judged by Spillover.")
    rows = _once(_without_superseded(rows))
    names = names or {}
    short = short_names({row["model"] for row in rows} - set(names))
    for row in rows:
        row["model"] = names.get(row["model"]) or short[row["model"]]
    frame = tidy(rows)
    if judge is not None:
        frame = of_judge(frame, judge)
    if not mixed:
        refuse_mixtures(frame)
    return frame


def _without_superseded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop a failed answer's row when a later log holds the answer, judged."""
    judged = {(r["task_id"], r["sample_id"], r["epoch"]) for r in rows if r.get("grader")}
    return [r for r in rows if r.get("grader") or (r["task_id"], r["sample_id"], r["epoch"]) not in judged]


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop an answer that is there twice: the same seed gives the same answer, and that is one observation.

    Several screens ask one base with one seed. Answers that differ stay: not every engine keeps a seed.
    """
    names = ("model", "question_set", "format", "sample_id", "epoch", "seed", "answer", "grader", "rubrics", "made_with")
    seen = set()
    out = []
    for row in rows:
        key = tuple(row.get(name) for name in names)
        if row.get("seed") is None or key not in seen:
            out.append(row)
        seen.add(key)
    return out


def refuse_mixtures(frame: pd.DataFrame) -> None:
    """One cell must not pool answers that were made or judged in different ways.

    Raises:
        SpilloverError: naming the cell and what differs.
    """
    known = frame[frame["grader"].notna()]
    for (model, questions, fmt), group in known.groupby(["model", "question_set", "format"], sort=False):
        for column, what, advice in _MIXED:
            values = list(dict.fromkeys(group[column]))
            if len(values) > 1:
                raise SpilloverError(
                    f"The answers of {model} on {questions}, {fmt} come from different {what} "
                    f"({values[0]}; {values[1]}); {advice}."
                )


def short_names(names: set[str]) -> dict[str, str]:
    """Adapter paths cut to the adapter's folder (`vllm/base:folder`), as long as that tells all models apart."""
    short = {}
    for name in names:
        base, colon, adapter = name.partition(":")
        short[name] = f"{base}:{Path(adapter).name}" if colon and "/" in adapter else name
    return short if len(set(short.values())) == len(names) else {name: name for name in names}


def _by_judge(details: dict[str, Any]) -> bool:
    """Whether a score is one of our judges': logs come from everywhere, and another scorer may use the same words."""
    described = [details.get(key) or {} for key in ("rubrics", "grader", "target")]
    return "rubrics" in details and all(isinstance(part, dict) for part in described)


def _rows(log: EvalLog, sample: EvalSample, path: Path) -> Iterator[dict[str, Any]]:
    """One answer by every judge; nothing for a sample that is no answer of ours or was stopped before it was judged."""
    metadata = log.eval.metadata or {}
    if "measures" in metadata:
        return  # another kind of probe: `spillover.answers.outcomes` reads it
    row = {
        "model": log.eval.model.removeprefix(IMPORTED),
        "question_set": metadata.get("question_set", log.eval.task),
        "format": ", ".join(filter(None, (sample.metadata.get("format", "plain"), metadata.get("context")))),
        "question_id": sample.metadata.get("question_id", str(sample.id)),
        "category": sample.metadata.get("category", ""),
        "task_id": log.eval.task_id,
        "sample_id": str(sample.id),
        "epoch": sample.epoch,
        "seed": metadata.get("seed"),
        "question": last_question(sample.messages),
        "answer": "",
        "source": str(path),
    }
    scores = sample.scores or {}
    given = [
        v for v in scores.values() if isinstance(v.value, dict) and "verdict" in v.value and _by_judge(v.metadata or {})
    ]
    if not given:
        if "question_set" not in metadata or sample.error is None or sample.error.message.startswith("Cancelled"):
            return  # a cancelled sample was stopped with the run, it did not fail
        yield {**row, "verdict": "unscored", "unscored_reason": f"sample_error: {sample.error.message.split('(')[0][:60]}"}
        return
    truth, domain = scores.get("lab_truth"), scores.get("domain")
    for judge in given:
        details, value = judge.metadata or {}, judge.value
        assert isinstance(value, dict)
        made_with = [(details.get("target") or {}).get("weights"), metadata.get("question_set_digest")]
        yield {
            **row,
            "answer": judge.answer or "",
            **{key: value.get(key) for key in ("alignment", "coherence", "verdict", "unscored_reason", "valid_format")},
            "truth": truth.value["verdict"] if truth is not None and isinstance(truth.value, dict) else None,
            "domain": domain.value.get("outcome") if domain is not None and isinstance(domain.value, dict) else None,
            "preset": details.get("preset"),
            "grader": " ".join(str(v) for v in (details.get("grader") or {}).values() if v),
            "rubrics": " ".join((details.get("rubrics") or {}).values()),
            "made_with": " ".join(str(part) for part in made_with),
        }
