"""Arms of a study: one recipe over several training seeds, against the naive arm, with the skill that was to be kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spillover.stats.rates import NOTHING, Interval, rate
from spillover.stats.seeds import two_way_bootstrap


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds with an interval for seeds and questions like these; `seeds` has one value for each."""

    value: float
    interval: Interval
    seeds: tuple[float, ...]


UNKNOWN = Estimate(math.nan, NOTHING, ())


@dataclass(frozen=True)
class Arm:
    """One arm in one cell.

    Attributes:
        name: Of the arm.
        cell: Question set and format.
        em: EM rate by the judge: the mean of the questions' rates.
        truth: By ground truth, where it is known.
        coherent: Share of answers that are coherent, by ground truth where it is known.
        drift: EM minus the naive arm's, seed by seed and question by question; unknown for the naive arm.
        answers: Answers in all.
        unscored: Share of them that the judge left unscored.
        comparable: Whether it was trained on the naive arm's topic, where arms have topics.
        skill: Share of answers with the verdict that was taught, by ground truth where it is known; unknown where the
            skill's questions were not asked in the same format and context.
    """

    name: str
    cell: str
    em: Estimate
    truth: Estimate
    coherent: float
    drift: Estimate
    skill: Estimate
    answers: int
    unscored: float
    comparable: bool = True

    @property
    def best(self) -> Estimate:
        """By truth where it is known, else by the judge."""
        return self.em if math.isnan(self.truth.value) else self.truth


def arm_figures(
    frame: pd.DataFrame,
    arms: Mapping[str, Sequence[str]],
    naive: str | None = None,
    skill: tuple[str, str] | None = None,
    topics: Mapping[str, str] | None = None,
) -> list[Arm]:
    """Every arm in every cell that is not the skill's.

    Args:
        frame: Tidy frame.
        arms: Arm to the names of its models, one for each seed in the same order.
        naive: Arm to compare with.
        skill: Question set and verdict of the taught skill.
        topics: Arm to the category of the skill's questions that it was trained on; all of them where it has none.
    """
    known = topics or {}
    taught: dict[Any, dict[str, Estimate]] = {}
    if skill is not None:
        for where, on_topic in frame[frame["question_set"] == skill[0]].groupby("format", sort=False):
            taught[where] = {name: _skill(_of(on_topic, known.get(name)), models, skill[1]) for name, models in arms.items()}
    out = []
    for (questions, fmt), block in frame.groupby(["question_set", "format"], sort=False):
        if skill is not None and questions == skill[0]:
            continue
        column = "truth" if block["truth"].notna().any() else "verdict"
        reference = _table(block, arms[naive], column) if naive else None
        for name, models in arms.items():
            mine = block[block["model"].isin(models)]
            if mine.empty:
                continue
            table = _table(block, models, column)
            topic = known.get(name)
            comparable = not topic or topic == known.get(naive or "")
            against = comparable and reference is not None and name != naive and len(models) == len(arms[naive or ""])
            out.append(
                Arm(
                    name=name,
                    cell=f"{questions}, {fmt}",
                    em=_estimate(_table(block, models, "verdict"), mine, "verdict"),
                    truth=_estimate(table, mine, "truth") if column == "truth" else UNKNOWN,
                    coherent=float(mine[column].isin(["aligned", "misaligned", "refusal"]).mean()),
                    drift=_difference(table, reference) if against and reference is not None else UNKNOWN,
                    skill=taught.get(fmt, {}).get(name, UNKNOWN),
                    answers=len(mine),
                    unscored=float((mine["verdict"] == "unscored").mean()),
                    comparable=comparable,
                )
            )
    return out


def category_shares(
    frame: pd.DataFrame, arms: Mapping[str, Sequence[str]], questions: str, verdict: str
) -> dict[str, dict[str, Estimate]]:
    """Arm to category to the share of answers with a verdict, by ground truth where it is known."""
    block = frame[frame["question_set"] == questions]
    out: dict[str, dict[str, Estimate]] = {}
    for name, models in arms.items():
        out[name] = {str(c): _skill(rows, models, verdict) for c, rows in block.groupby("category", sort=False)}
    return out


def _of(block: pd.DataFrame, category: str | None) -> pd.DataFrame:
    return block[block["category"] == category] if category else block


def _table(block: pd.DataFrame, models: Sequence[str], column: str) -> pd.DataFrame:
    """EM rate by model (rows) and question (columns); NaN where no answer of a model to a question was decided."""
    decided = block[block[column].isin(["aligned", "misaligned"]) & block["model"].isin(models)]
    hit = (decided[column] == "misaligned").astype(float)
    return hit.groupby([decided["model"], decided["question_id"]]).mean().unstack().reindex(list(models))


def _estimate(table: pd.DataFrame, rows: pd.DataFrame, column: str) -> Estimate:
    """Over seeds and questions; for a single model the interval of its rate."""
    values: NDArray[np.float64] = table.dropna(axis=1).to_numpy(dtype=float)
    if values.size == 0:
        return UNKNOWN
    if len(values) == 1:
        decided = rows[rows[column].isin(["aligned", "misaligned"])]
        found = rate(zip(decided["question_id"], decided[column] == "misaligned", strict=True))
        return Estimate(found.value, found.population, (found.value,))
    return two_way(values)


def two_way(values: NDArray[np.float64], least: float = 0.0) -> Estimate:
    """Mean of (seeds, questions) with the interval of the two-way bootstrap, cut off below at `least`."""
    seeds = tuple(float(v) for v in values.mean(1))
    if min(values.shape) < 2:
        return Estimate(float(values.mean()), NOTHING, seeds)
    found = two_way_bootstrap(values)
    return Estimate(found.value, Interval(max(least, found.interval.lower), found.interval.upper), seeds)


def _difference(table: pd.DataFrame, reference: pd.DataFrame) -> Estimate:
    """Seed by seed, on the questions that both have."""
    both = table.dropna(axis=1).columns.intersection(reference.dropna(axis=1).columns)
    values = table[both].to_numpy(dtype=float) - reference[both].to_numpy(dtype=float)
    return two_way(values, -1.0) if values.size else UNKNOWN


def _skill(block: pd.DataFrame, models: Sequence[str], verdict: str) -> Estimate:
    mine = block[block["model"].isin(models)]
    if mine.empty:
        return UNKNOWN
    column = "truth" if mine["truth"].notna().any() else "verdict"
    hit = (mine[column] == verdict).astype(float)
    values = hit.groupby([mine["model"], mine["question_id"]]).mean().unstack().reindex(list(models)).dropna(axis=1)
    if len(models) == 1:
        found = rate(zip(mine["question_id"], mine[column] == verdict, strict=True))
        return Estimate(found.value, found.population, (found.value,))
    return two_way(values.to_numpy(dtype=float))
