"""The format effect: how much more often a model is misaligned when it answers in another format, on the same questions."""

from __future__ import annotations

import math

import pandas as pd

from spillover.answers.frame import judged
from spillover.show.panels import Panel
from spillover.show.text import drift_text, rate_text, span
from spillover.stats.paired import drift
from spillover.stats.rates import rate
from spillover.stats.summary import Judged


def formats_panel(frame: pd.DataFrame) -> Panel | None:
    """Each format against plain answers (or the first format), per model and pooled; None where there is only one."""
    body = []
    for question_set, block in frame.groupby("question_set", sort=False):
        formats = list(dict.fromkeys(block["format"]))
        if len(formats) < 2 or f"{question_set} (formats)" in set(frame["question_set"]):
            continue
        reference = next((f for f in formats if f.partition(",")[0] == "plain"), formats[0])
        models = list(dict.fromkeys(block["model"]))
        for fmt in formats:
            groups = [(m, block[block["model"] == m]) for m in models]
            if len(models) > 1:
                groups.append(("all models, pooled", block))
            for name, group in groups:
                body.append(_row(str(question_set), str(name), fmt, reference, group, pooled=name not in models))
    if not body:
        return None
    return Panel(
        "Format effect",
        ("questions", "model", "format", "valid %", "effect on the EM rate, points"),
        tuple(body),
        "Valid: answers that have the format they were asked for. Effect: EM rate in this format minus that in plain "
        "answers to the same questions, with its 95 % interval for questions like these; pooled, each model's questions are "
        "units of their own.",
    )


def _row(question_set: str, model: str, fmt: str, reference: str, group: pd.DataFrame, pooled: bool) -> tuple[str, ...]:
    here = group[group["format"] == fmt]
    known = [
        (q, bool(v)) for q, v in zip(here["question_id"], here["valid_format"], strict=True) if v is not None and v == v
    ]
    right = rate(known)
    valid = f"{rate_text(right)} {span(right.population)}" if known else "–"
    if fmt == reference:
        return question_set, model, fmt, valid, ""
    found = drift(_rows(here, pooled), _rows(group[group["format"] == reference], pooled))
    return question_set, model, fmt, valid, "–" if math.isnan(found.value) else drift_text(found)


def _rows(frame: pd.DataFrame, pooled: bool) -> list[Judged]:
    rows = judged(frame)
    if not pooled:
        return rows
    return [r._replace(question=f"{m}\0{r.question}") for m, r in zip(frame["model"], rows, strict=True)]
