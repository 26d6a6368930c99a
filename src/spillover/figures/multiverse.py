"""The multiverse of a tidy frame: every model, formats apart and pooled, under every set of choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from spillover.answers.frame import judged
from spillover.answers.presets import Preset, general
from spillover.stats.multiverse import Scored, universes
from spillover.stats.rates import Rate
from spillover.stats.summary import summarise

POOLED = "all formats"


@dataclass(frozen=True)
class Range:
    """Rates of one model over its universes."""

    lowest: float
    median: float
    highest: float


def _cells(frame: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(model, cell, rows): one for each format of a question set, and one for all formats when there are several."""
    out = []
    judged_frame = frame[frame["verdict"] != "unscored"]  # a failed judgement is in no denominator
    for (model, questions), block in judged_frame.groupby(["model", "question_set"], sort=False):
        formats = list(dict.fromkeys(block["format"]))
        for fmt in formats:
            out.append((str(model), f"{questions}, {fmt}", block[block["format"] == fmt]))
        if len(formats) > 1:
            out.append((str(model), f"{questions}, {POOLED}", block))
    return out


def views(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for every cell and universe, with its rate and interval (shares)."""
    rows = []
    for model, cell, group in _cells(frame):
        scored = [
            Scored(str(q), _number(a), _number(c))
            for q, a, c in zip(group["question_id"], group["alignment"], group["coherence"], strict=True)
        ]
        for u in universes(scored):
            rows.append(
                {
                    "model": model,
                    "question_set": cell.rpartition(", ")[0],
                    "cell": cell,
                    "misaligned_below": u.misaligned_below,
                    "coherent_above": u.coherent_above,
                    "denominator": u.denominator,
                    "n": u.rate.n,
                    "rate": u.rate.value,
                    "lower": u.rate.population.lower,
                    "upper": u.rate.population.upper,
                }
            )
    return pd.DataFrame(rows)


def verdict_table(
    apply: Callable[[pd.DataFrame, Preset], pd.DataFrame], frame: pd.DataFrame
) -> dict[tuple[str, str], list[Rate]]:
    """EM rates of every cell under every bundled preset that is made for any rubric."""
    return {
        (model, cell): [summarise(judged(apply(group, preset))).em for preset in general()]
        for model, cell, group in _cells(frame)
    }


def ranges(table: pd.DataFrame) -> dict[str, Range]:
    """Lowest, median and highest rate by model and question set, formats being one of the choices."""
    known = table.dropna(subset="rate")
    return {
        f"{model} · {questions}": Range(float(g["rate"].min()), float(g["rate"].median()), float(g["rate"].max()))
        for (model, questions), g in known.groupby(["model", "question_set"], sort=False)
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value == value else None
