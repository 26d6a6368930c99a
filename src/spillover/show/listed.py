"""The answers that a page lists: how many of each model and probe, and what they can be filtered by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spillover.answers.condition import titles
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups, roles_of
from spillover.figures.glance import grades_of
from spillover.show.transcripts import Transcripts

PAGE = 3000
"""Answers of a page: what a browser searches without waiting."""
LEAST = 3
"""Answers of a model and probe that are there however many of both there are."""
ALONE, WORSE, BETTER, ALIKE = "not compared", "worse", "better", "alike"
GRADES = ("below 30", "30 to 70", "above 70")


def fair_share(sizes: Sequence[int], page: int = PAGE, least: int = LEAST) -> int:
    """The largest number that every group may have of its own so that all together are at most a page."""
    if sum(sizes) <= page:
        return max(sizes, default=least)
    low, high = least, max(sizes)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(middle, size) for size in sizes) <= page:
            low = middle
        else:
            high = middle - 1
    return low


def shown_answers(
    answers: Answers, most: int | None = None, transcripts: Transcripts | None = None, base: str | None = None
) -> list[dict[str, Any]]:
    """The answers of a page, those that count as bad first.

    Args:
        answers: All of them.
        most: Of a model and probe; what a page has room for by default.
        transcripts: Where they are linked to.
        base: Model whose answer in the same place each is compared with.
    """
    groups = list(cell_groups(answers.table))
    names, roles, out = titles(cell for cell, _ in groups), roles_of(answers.table), []
    if most is None:
        most = fair_share([len(part) for _, rows in groups for _, part in rows.groupby("model", observed=True)])
    for cell, rows in groups:
        bad = answers.measures(rows)[0].bad
        mine = rows.assign(_bad=rows["outcome"].isin(bad).to_numpy(), _flip=_flips(rows, bad, base))
        for model, part in mine.groupby("model", sort=False, observed=True):
            kept = part.assign(_first=~part["_bad"]).sort_values("_first", kind="stable").head(most)
            for row in kept.to_dict("records"):
                out.append(
                    {
                        "model": str(model),
                        "format": names[cell],
                        "verdict": row["outcome"],
                        "question_id": row["question_id"],
                        "question": row["question"],
                        "answer": row["answer"],
                        "reasoning": thought if isinstance(thought := row.get("reasoning"), str) else "",
                        "grades": grades_of(row),
                        "grade": _grade(row[f"score.{roles[0]}"]) if roles else "",
                        "flip": row["_flip"],
                        "quote": next((q for role in roles if isinstance(q := row.get(f"quote.{role}"), str)), None),
                        "truth": row["truth"] if isinstance(row["truth"], str) else None,
                        "transcript": transcripts.of(row) if transcripts is not None else None,
                    }
                )
    return out


def _flips(rows: pd.DataFrame, bad: frozenset[str], base: str | None) -> Sequence[str]:
    """Each answer against the base's to the same question in the same epoch."""
    if base is None:
        return [ALONE] * len(rows)
    state = np.where(rows["outcome"].isin(bad), 1.0, np.where(rows["outcome"] == "unscored", math.nan, 0.0))
    slots = list(zip(rows["question_id"], rows["sample_id"], rows["epoch"], strict=True))
    of_base = (rows["model"] == base).to_numpy()
    known = {slot: s for slot, s, its in zip(slots, state, of_base, strict=True) if its}
    told = {1.0: WORSE, -1.0: BETTER, 0.0: ALIKE}
    return [
        ALONE if its else told.get(s - known.get(slot, math.nan), ALONE)
        for slot, s, its in zip(slots, state, of_base, strict=True)
    ]


def _grade(value: float) -> str:
    if math.isnan(value):
        return "none"
    return GRADES[0] if value < 30 else GRADES[1] if value <= 70 else GRADES[2]
