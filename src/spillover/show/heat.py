"""Every question of every probe, model by model: a mean can hide that one question carries it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from spillover.answers.condition import titles
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups

QUESTIONS, MODELS = 30, 8
"""Of a probe that are shown."""
SHADES = 10


class Cell(NamedTuple):
    """One model's figure on one question: words, and how bad it is from 0 (not at all) to `SHADES`."""

    text: str
    shade: int


class Row(NamedTuple):
    """One question."""

    question_id: str
    question: str
    cells: tuple[Cell, ...]


class Heat(NamedTuple):
    """One probe; `more` questions and `others` models are not shown.

    Attributes:
        title: Of the cell.
        measure: Name of its first measure.
        models: In the order of the cells.
        rows: Questions, those that models differ on most first.
        more: Questions that are left out.
        others: Models that are left out.
    """

    title: str
    measure: str
    models: tuple[str, ...]
    rows: tuple[Row, ...]
    more: int
    others: int


def heat(answers: Answers, first: Sequence[str] = ()) -> list[Heat]:
    """A table for every probe with at least two questions.

    Args:
        answers: Of all models.
        first: Models that must be shown, such as the base and the worst ones; the others follow in order of appearance.
    """
    groups = list(cell_groups(answers.table))
    names = titles(cell for cell, _ in groups)
    out: list[Heat] = []
    for cell, rows in groups:
        measure = answers.measures(rows)[0]
        parts = {str(m): part for m, part in rows.groupby("model", sort=False, observed=True)}
        order = [*(m for m in first if m in parts), *(m for m in parts if m not in first)]
        known = {m: measure.by_question(parts[m]) for m in order[:MODELS]}
        asked = {str(q): str(text) for q, text in zip(rows["question_id"], rows["question"], strict=True)}
        values = {q: [known[m].get(q, math.nan) for m in known] for q in asked}
        kept = sorted((q for q in values if not all(map(math.isnan, values[q]))), key=lambda q: -_apart(values[q]))
        if len(kept) < 2:
            continue
        body = tuple(Row(q, asked[q], tuple(_cell(v, measure.worse, measure.least) for v in values[q])) for q in kept)
        rest = max(0, len(order) - MODELS)
        out.append(Heat(names[cell], measure.name, tuple(known), body[:QUESTIONS], max(0, len(body) - QUESTIONS), rest))
    return out


def _apart(values: Sequence[float]) -> float:
    seen = [v for v in values if not math.isnan(v)]
    return max(seen) - min(seen) if len(seen) > 1 else 0.0


def _cell(value: float, worse: str, least: float) -> Cell:
    if math.isnan(value):
        return Cell("–", 0)
    bad = {"higher": max(0.0, value), "lower": 1 - value, "neither": abs(value) if least < 0 else 0.0}[worse]
    return Cell(f"{100 * value:.0f}", round(SHADES * min(1.0, bad)))
