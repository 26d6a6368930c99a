"""The tidy frame: one row per answer, the same for our own logs and for judged tables from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spillover.answers.presets import Preset
from spillover.errors import SpilloverError
from spillover.stats.paired import Drift, drift
from spillover.stats.summary import Judged, Summary, summarise

COLUMNS = (
    "model",
    "question_set",
    "format",
    "question_id",
    "category",
    "sample_id",
    "epoch",
    "seed",
    "question",
    "answer",
    "alignment",
    "coherence",
    "verdict",
    "unscored_reason",
    "valid_format",
    "truth",
    "domain",
    "preset",
    "grader",
    "rubrics",
    "made_with",
    "source",
)
"""`alignment` and `coherence` hold a number from 0 to 100, a special verdict, or None when judging failed; `made_with`
names weights and questions by digest, `rubrics` the rubrics; `seed` is the base seed of the log; `format` is followed by the
name of the context (a system line) where there was one; `domain` is `inside` or `outside` where a
domain was asked about. One answer has a row for every judge."""


def tidy(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A frame with exactly `COLUMNS`; missing ones are None."""
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in COLUMNS})


def with_preset(frame: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """The same answers with the verdicts of another preset. No judge is asked.

    Raises:
        SpilloverError: if the preset is made for another rubric than the one that scored them.
    """
    if preset.rubric is not None and any(preset.rubric not in str(r) for r in frame["rubrics"] if r):
        raise SpilloverError(
            f"The preset {preset.name} is made for scores of the rubric {preset.rubric}; these are of others."
        )
    pairs = list(zip(frame["alignment"], frame["coherence"], strict=True))
    known = {pair: preset.verdict(_raw(pair[0]), _raw(pair[1])).value for pair in set(pairs)}
    verdicts = [known[pair] for pair in pairs]
    return frame.assign(verdict=pd.Series(verdicts, index=frame.index, dtype=object), preset=preset.name)


def _raw(value: Any) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    return float(value)


def judges(frame: pd.DataFrame) -> list[str]:
    """Every judge in the frame: grader and rubrics."""
    scored = frame[frame["grader"].notna()]
    return list(dict.fromkeys(judge_names(scored)))


def of_judge(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows of the one judge whose name holds `text`; answers that no judge saw stay.

    Raises:
        SpilloverError: if no judge or several do.
    """
    found = [j for j in judges(frame) if text in j]
    if len(found) != 1:
        raise SpilloverError(f"'{text}' names {len(found)} judges; the judges are: {'; '.join(judges(frame))}.")
    keep = [j == found[0] or not j.strip() for j in judge_names(frame)]
    return frame[keep].reset_index(drop=True)


def judge_names(frame: pd.DataFrame) -> list[str]:
    """Grader and rubrics of every row."""
    return [f"{g or ''} {r or ''}" for g, r in zip(frame["grader"], frame["rubrics"], strict=True)]


def judged(frame: pd.DataFrame, column: str = "verdict") -> list[Judged]:
    """The rows as the statistics see them; `column` may be `truth`."""
    reasons = frame["unscored_reason"] if column == "verdict" else [None] * len(frame)
    return [
        Judged(str(q), str(v), None if r is None else str(r))
        for q, v, r in zip(frame["question_id"], frame[column], reasons, strict=True)
    ]


@dataclass(frozen=True)
class Cell:
    """Figures of one model on one question set in one format.

    Attributes:
        model: Display name.
        question_set: Name of the set.
        format: Answer format.
        summary: By the judge.
        truth: By ground truth, where there is one (the lab).
        drift: Against the base, where one was named and it is another model.
    """

    model: str
    question_set: str
    format: str
    summary: Summary
    truth: Summary | None
    drift: Drift | None


def cells(frame: pd.DataFrame, base: str | None = None, level: float = 0.95) -> Iterator[Cell]:
    """One cell per question set, format and model, in order of appearance.

    Args:
        frame: Tidy frame.
        base: Name of the model that drift is measured against.
        level: Confidence level.
    """
    for (question_set, fmt), block in frame.groupby(["question_set", "format"], sort=False):
        reference = judged(block[block["model"] == base]) if base is not None else []
        for model, group in block.groupby("model", sort=False):
            rows = judged(group)
            known = group[group["truth"].notna()]
            yield Cell(
                model=str(model),
                question_set=str(question_set),
                format=str(fmt),
                summary=summarise(rows, level),
                truth=summarise(judged(known, "truth"), level) if len(known) else None,
                drift=drift(rows, reference, level) if reference and model != base else None,
            )
