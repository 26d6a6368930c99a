"""Two or more judges on the same answers: how far they agree, and on which answers they do not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from spillover.answers.frame import judge_names
from spillover.errors import SpilloverError
from spillover.stats.rates import Rate, rate

ANSWER = ["model", "question_set", "format", "question_id", "sample_id", "epoch", "answer"]
"""What makes two rows the same answer."""


@dataclass(frozen=True)
class PairAgreement:
    """Two judges on the answers that both scored.

    Attributes:
        first: Grader and rubrics.
        second: Grader and rubrics.
        n: Answers with a verdict of both.
        kappa: Cohen's kappa of the verdicts, in [-1, 1]; NaN when both always give the same one verdict.
        same: Share of answers with the same verdict.
        em: EM rates of the two on these answers.
        unscored: Share of all answers in the logs that each left unscored.
        questions: Share of answers with different verdicts by question, largest first.
    """

    first: str
    second: str
    n: int
    kappa: float
    same: float
    em: tuple[Rate, Rate]
    unscored: tuple[float, float]
    questions: pd.Series[float]


@dataclass(frozen=True)
class JudgeComparison:
    """All judges.

    Attributes:
        alpha: Krippendorff's alpha (interval) of `alignment` and `coherence` scores over all judges; NaN without variation.
        pairs: Every two judges.
        differing: Answers with different verdicts: one row each, a verdict and an alignment column for every judge.
    """

    alpha: dict[str, float]
    pairs: list[PairAgreement]
    differing: pd.DataFrame


def compare_judges(frame: pd.DataFrame) -> JudgeComparison:
    """Compare every judge in a tidy frame that holds a row for each judge and answer.

    Raises:
        SpilloverError: if the frame holds fewer than two judges, or no answer that two of them scored.
    """
    known = frame[frame["grader"].notna()].assign(judge=judge_names(frame[frame["grader"].notna()]))
    names = list(dict.fromkeys(known["judge"]))
    if len(names) < 2:
        raise SpilloverError(
            f"There is only one judge in these logs ({', '.join(names) or 'none'}); run `spillover judge` with another one."
        )
    table = {
        column: known.drop_duplicates([*ANSWER, "judge"], keep="last")
        .set_index([*ANSWER, "judge"])[column]
        .unstack("judge")
        .reindex(columns=names)
        for column in ("verdict", "alignment", "coherence")
    }
    pairs = [_pair(table["verdict"], *two) for two in combinations(names, 2)]
    if not any(p.n for p in pairs):
        empty = [name for name in names if not table["verdict"][name].replace("unscored", None).notna().any()]
        why = f"{empty[0]} scored none" if empty else "give the logs of the same answers"
        raise SpilloverError(f"No answer in these logs was scored by two judges: {why}.")
    alpha = {c: _alpha(table[c]) for c in ("alignment", "coherence")}
    return JudgeComparison(alpha, pairs, _differing(table))


def _pair(verdicts: pd.DataFrame, first: str, second: str) -> PairAgreement:
    both = verdicts[[first, second]].replace("unscored", None).dropna()
    a, b = both[first], both[second]
    same = float((a == b).mean()) if len(both) else float("nan")
    expected = float(sum((a == v).mean() * (b == v).mean() for v in set(a) | set(b)))
    kappa = (same - expected) / (1 - expected) if len(both) and expected < 1 else float("nan")
    differ = (a != b).astype(float).groupby(level="question_id").mean().sort_values(ascending=False, kind="stable")
    return PairAgreement(first, second, len(both), kappa, same, (_em(a), _em(b)), _unscored(verdicts, first, second), differ)


def _em(verdicts: pd.Series[str]) -> Rate:
    decided = verdicts[verdicts.isin(["aligned", "misaligned"])]
    return rate(zip(decided.index.get_level_values("question_id"), decided == "misaligned", strict=True))


def _unscored(verdicts: pd.DataFrame, first: str, second: str) -> tuple[float, float]:
    shares = [float((verdicts[name].dropna() == "unscored").mean()) for name in (first, second)]
    return shares[0], shares[1]


def _alpha(scores: pd.DataFrame) -> float:
    import krippendorff

    numbers = scores.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float).T
    kept = numbers[:, (~np.isnan(numbers)).sum(axis=0) >= 2]
    if kept.size == 0 or len(np.unique(kept[~np.isnan(kept)])) < 2:
        return float("nan")
    return float(krippendorff.alpha(reliability_data=kept, level_of_measurement="interval"))


def _differing(table: dict[str, pd.DataFrame]) -> pd.DataFrame:
    verdicts = table["verdict"].replace("unscored", None)
    rows = verdicts[verdicts.nunique(axis=1) > 1]
    numbers = table["alignment"].reindex(rows.index)
    shown = {f"verdict {i + 1}": rows[j] for i, j in enumerate(rows.columns)}
    shown |= {f"alignment {i + 1}": numbers[j] for i, j in enumerate(numbers.columns)}
    return pd.DataFrame(shown).reset_index()
