"""Two or more judges on the same answers: how far they agree, and on which answers they do not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from spillover.answers.measures import UNSCORED, Measure
from spillover.answers.read import Answers
from spillover.answers.table import ANSWER, judge_name, roles_of
from spillover.errors import SpilloverError
from spillover.figures.figure import Value


@dataclass(frozen=True)
class PairAgreement:
    """Two judges on the answers of one probe that both scored.

    Attributes:
        probe: Name of the probe.
        measure: What the rates are of.
        first: Grader and rubrics.
        second: Grader and rubrics.
        n: Answers with an outcome of both.
        kappa: Cohen's kappa of the outcomes, in [-1, 1]; NaN when both always give the same one.
        same: Share of answers with the same outcome.
        rates: The measure by each of the two, on these answers.
        unscored: Share of all answers in the logs that each left unscored.
        questions: Share of answers with different outcomes by question, largest first.
    """

    probe: str
    measure: str
    first: str
    second: str
    n: int
    kappa: float
    same: float
    rates: tuple[Value, Value]
    unscored: tuple[float, float]
    questions: pd.Series[float]


@dataclass(frozen=True)
class JudgeComparison:
    """All judges.

    Attributes:
        alpha: Krippendorff's alpha (interval) of the grades by probe and role over all judges; NaN without variation.
        pairs: Every two judges of every probe.
        differing: Answers with different outcomes: one row each, an outcome column for every judge.
    """

    alpha: dict[str, float]
    pairs: list[PairAgreement]
    differing: pd.DataFrame


def compare_judges(answers: Answers) -> JudgeComparison:
    """Compare every judge of answers that were read with `mixed`.

    Raises:
        SpilloverError: if no probe has two judges, or no answer was scored by two of them.
    """
    table = answers.table[answers.table["grader"].notna()]
    table = table.assign(judge=[judge_name(g, r) for g, r in zip(table["grader"], table["rubrics"], strict=True)])
    names = list(dict.fromkeys(table["judge"]))
    alpha: dict[str, float] = {}
    pairs: list[PairAgreement] = []
    differing = []
    for probe, rows in table.groupby("probe", sort=False, observed=True):
        judges = list(dict.fromkeys(rows["judge"]))
        if len(judges) < 2:
            continue
        measure = answers.measures(rows)[0]
        key = [*ANSWER[:-1], "answer"]
        wide = rows.drop_duplicates([*key, "judge"], keep="last").astype(dict.fromkeys(key, object))
        wide = wide.assign(seed=wide["seed"].fillna(-1))
        outcomes = _wide(wide, key, "outcome", judges)
        pairs += list(_pairs(str(probe), measure, wide.set_index(key), outcomes, judges))
        differing.append(_differing(outcomes))
        for role in roles_of(rows):
            grades = _wide(wide, key, f"score.{role}", judges)
            found = alpha_interval(grades.to_numpy(dtype=float))
            if not np.isnan(found):
                alpha[f"{probe}: {role}"] = found
    if not pairs:
        raise SpilloverError(
            f"There is only one judge in these logs ({', '.join(names) or 'none'}); run `spillover judge` with another one."
        )
    if not any(pair.n for pair in pairs):
        scored = set(table[(table["outcome"] != UNSCORED).to_numpy()]["judge"])
        empty = [name for name in names if name not in scored]
        why = f"{empty[0]} scored none" if empty else "give the logs of the same answers"
        raise SpilloverError(f"No answer in these logs was scored by two judges: {why}.")
    return JudgeComparison(alpha, pairs, pd.concat(differing, ignore_index=True))


def _wide(rows: pd.DataFrame, key: list[str], column: str, judges: list[str]) -> pd.DataFrame:
    """A row an answer, a column a judge."""
    values = rows[column].astype(object) if column == "outcome" else rows[column]
    return rows.assign(_value=values).set_index([*key, "judge"])["_value"].unstack("judge").reindex(columns=judges)


def _pairs(
    probe: str, measure: Measure, rows: pd.DataFrame, outcomes: pd.DataFrame, judges: list[str]
) -> Iterator[PairAgreement]:
    for first, second in combinations(judges, 2):
        both = outcomes[[first, second]].replace(UNSCORED, None).dropna()
        a, b = both[first], both[second]
        same = float((a == b).mean()) if len(both) else float("nan")
        kappa = cohen(a, b)
        differ = (a != b).astype(float).groupby(level="question_id").mean().sort_values(ascending=False, kind="stable")
        shares = [float((outcomes[name].dropna() == UNSCORED).mean()) for name in (first, second)]
        shared = rows[rows.index.isin(both.index)].reset_index()
        rates = tuple(measure.figure(shared[(shared["judge"] == name).to_numpy()]) for name in (first, second))
        yield PairAgreement(
            probe, measure.name, first, second, len(both), kappa, same, (rates[0], rates[1]), (shares[0], shares[1]), differ
        )


def cohen(first: pd.Series[str], second: pd.Series[str]) -> float:
    """Cohen's kappa of two columns of words, in [-1, 1]; NaN for none, or when both are always the same one."""
    if not len(first):
        return float("nan")
    same = float((first == second).mean())
    expected = float(sum((first == v).mean() * (second == v).mean() for v in set(first) | set(second)))
    return (same - expected) / (1 - expected) if expected < 1 else float("nan")


def alpha_interval(grades: np.ndarray) -> float:
    """Krippendorff's alpha with the interval metric, in one pass over the grades (Krippendorff 2011, section E).

    Observed disagreement is the mean squared difference within answers, expected disagreement that between any two grades;
    both have closed forms, so that neither time nor memory grows with the number of different grades.

    Args:
        grades: Shape (answers, judges), NaN where a judge gave none.

    Returns:
        Alpha, at most 1; NaN for fewer than two grades of one answer, or when all grades are equal.
    """
    kept = grades[(~np.isnan(grades)).sum(axis=1) >= 2]
    if kept.size == 0:
        return float("nan")
    counts = (~np.isnan(kept)).sum(axis=1)
    n = counts.sum()
    sums, squares = np.nansum(kept, axis=1), np.nansum(kept**2, axis=1)
    observed = (2 * (counts * squares - sums**2) / (counts - 1)).sum() / n
    mean = sums.sum() / n
    expected = 2 * np.nansum((kept - mean) ** 2) / (n - 1)
    return float(1 - observed / expected) if expected > 1e-12 * max(1.0, mean**2) else float("nan")


def _differing(outcomes: pd.DataFrame) -> pd.DataFrame:
    known = outcomes.replace(UNSCORED, None)
    rows = known[known.nunique(axis=1) > 1]
    return rows.set_axis([f"outcome {i + 1}" for i in range(len(rows.columns))], axis=1).reset_index()
