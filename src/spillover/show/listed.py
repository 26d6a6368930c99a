"""The answers that a page lists: how many of each model and probe, and what they can be filtered by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from spillover.answers.condition import titles
from spillover.answers.measures import Measure
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


def fair_share(sizes: Sequence[int], page: int, least: int = LEAST) -> int:
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
    answers: Answers,
    most: int | None = None,
    transcripts: Transcripts | None = None,
    base: str | None = None,
    first: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The answers of a page: of each model and probe one to every question, then those that count as bad, then the rest.

    Args:
        answers: All of them.
        most: Of a model and probe; what a page has room for by default.
        transcripts: Where they are linked to.
        base: Model whose answer in the same place each is compared with.
        first: Models whose answers come before those of the others.
    """
    groups = list(cell_groups(answers.table))
    names, roles, out = titles(cell for cell, _ in groups), roles_of(answers.table), []
    if most is None:
        most = fair_share([len(part) for _, rows in groups for _, part in rows.groupby("model", observed=True)], PAGE)
    for cell, rows in groups:
        measure = answers.measures(rows)[0]
        mine = rows.assign(_good=~rows["outcome"].isin(measure.bad).to_numpy(), _flip=_flips(rows, measure, base))
        parts = {str(model): part for model, part in mine.groupby("model", sort=False, observed=True)}
        for model in [*(m for m in first if m in parts), *(m for m in parts if m not in first)]:
            kept = _first(parts[model]).head(most)
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
                        "grade": _grade([row[f"score.{role}"] for role in roles]),
                        "flip": row["_flip"],
                        "quote": next((q for role in roles if isinstance(q := row.get(f"quote.{role}"), str)), None),
                        "truth": row["truth"] if isinstance(row["truth"], str) else None,
                        "transcript": transcripts.of(row) if transcripts is not None else None,
                    }
                )
    return out


def _first(part: pd.DataFrame) -> pd.DataFrame:
    """One answer to every question, a bad one if there is one; then all others, those that count as bad before the rest."""
    ordered = part.sort_values("_good", kind="stable")
    again = ordered.groupby("question_id", sort=False, observed=True).cumcount() > 0
    return ordered.assign(_again=again).sort_values(["_again", "_good"], kind="stable")


def _flips(rows: pd.DataFrame, measure: Measure, base: str | None) -> Sequence[str]:
    """Each answer against the base's to the same question in the same epoch, among those that the measure is about."""
    if base is None or not measure.is_share or measure.worse == "neither":
        return [ALONE] * len(rows)
    outcome = rows["outcome"].astype(object)
    among = outcome.isin(measure.among) if measure.among else outcome != "unscored"
    state = np.where(~among, math.nan, outcome.isin(measure.bad).astype(float))
    slots = list(zip(rows["question_id"], rows["sample_id"], rows["epoch"], strict=True))
    of_base = (rows["model"] == base).to_numpy()
    known: dict[tuple[object, ...], float] = {}
    for slot, its, mine in zip(slots, state, of_base, strict=True):
        if mine:  # two answers of the base in one place are no pair with anything
            known[slot] = math.nan if slot in known else float(its)
    told = {1.0: WORSE, -1.0: BETTER, 0.0: ALIKE}
    return [
        ALONE if mine else told.get(its - known.get(slot, math.nan), ALONE)
        for slot, its, mine in zip(slots, state, of_base, strict=True)
    ]


def _grade(grades: Sequence[float]) -> str:
    """Of the first of its grades that there is."""
    value = next((g for g in grades if not math.isnan(g)), math.nan)
    if math.isnan(value):
        return "none"
    return GRADES[0] if value < 30 else GRADES[1] if value <= 70 else GRADES[2]
