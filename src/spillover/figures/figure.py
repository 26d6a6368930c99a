"""Answers into figures: one function for every probe, measure and grouping. Pages render what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.condition import Cell, titles
from spillover.answers.measures import UNSCORED, Measure
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.estimate import UNKNOWN, Estimate, difference, estimate
from spillover.stats.means import Mean
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval, Rate

Value = Rate | Mean | Drift | Estimate


@dataclass(frozen=True)
class Shares:
    """What stands beside every figure: shares of all answers of the group to the probe under the condition.

    Attributes:
        answers: Their number.
        unscored: Without an outcome.
        coherent: Not incoherent, among those that have an outcome.
        truncated: Cut by the token limit.
        reasons: Number of unscored answers by reason.
    """

    answers: int
    unscored: float
    coherent: float
    truncated: float
    reasons: Mapping[str, int]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Shares:
        """Count."""
        failed = (rows["outcome"] == UNSCORED).to_numpy()
        scored = len(rows) - int(failed.sum())
        nonsense = int((rows["outcome"] == "incoherent").sum())
        why = rows.loc[failed, "unscored_reason"].astype(object).fillna("unknown").value_counts()
        share = float("nan") if not len(rows) else int(failed.sum()) / len(rows)
        coherent = 1 - nonsense / scored if scored else float("nan")
        cut = float(rows["truncated"].mean()) if len(rows) else float("nan")
        return cls(len(rows), share, coherent, cut, {str(k): int(v) for k, v in why.items()})


@dataclass(frozen=True)
class Figure:
    """One measure of one group of answers.

    Attributes:
        cell: Probe, question set and condition.
        title: Shortest title of the cell in this report.
        measure: What is measured.
        group: Model, or arm of a study.
        category: Of the questions; None for all of them.
        value: The figure with its interval.
        truth: The same by exact outcomes (the lab).
        drift: Against the base model, or the naive arm.
        shares: What stands beside it.
        graders: Who judged.
    """

    cell: Cell
    title: str
    measure: Measure
    group: str
    category: str | None
    value: Value
    truth: Value | None
    drift: Drift | Estimate | None
    shares: Shares
    graders: tuple[str, ...] = ()

    @property
    def interval(self) -> Interval:
        """For questions like these (a gap's own interval, and an arm's for seeds like these, too)."""
        return limits(self.value)

    @property
    def best(self) -> Value:
        """By truth where it is known, else by the judge."""
        return self.value if self.truth is None else self.truth


def limits(value: Value) -> Interval:
    """Of any kind of figure, for questions like these."""
    return value.interval if isinstance(value, Drift | Estimate) else value.population


def figures(
    answers: Answers,
    *,
    arms: Mapping[str, Sequence[str]] | None = None,
    base: str | None = None,
    by_category: bool = False,
    measures: Sequence[Measure] | None = None,
    level: float = 0.95,
) -> list[Figure]:
    """Every measure of every group in every cell, in order of appearance.

    Args:
        answers: From `spillover.answers.read`.
        arms: Arm to the names of its models, one for each training seed in the same order; every model is a group of its
            own for None.
        base: Model, or arm, that drift is measured against.
        by_category: The first measure of each cell once for every category, instead of all measures for all of them.
        measures: These instead of what the logs report.
        level: Confidence level.
    """
    groups = list(cell_groups(answers.table))
    names = titles(cell for cell, _ in groups)
    return [
        figure
        for cell, rows in groups
        for figure in _cell(answers, cell, names[cell], rows, arms, base, by_category, measures, level)
    ]


def _cell(
    answers: Answers,
    cell: Cell,
    title: str,
    rows: pd.DataFrame,
    arms: Mapping[str, Sequence[str]] | None,
    base: str | None,
    by_category: bool,
    measures: Sequence[Measure] | None,
    level: float,
) -> Iterator[Figure]:
    models = {str(name): part for name, part in rows.groupby("model", sort=False, observed=True)}
    exact = bool(rows["truth"].notna().any())
    reported = list(answers.measures(rows) if measures is None else measures)
    own = {name: {str(m) for m in answers.measures(part)} for name, part in models.items()} if measures is None else {}
    parts: list[tuple[str | None, dict[str, pd.DataFrame]]] = [(None, models)]
    if by_category:
        reported = [m for m in reported[:1] if "category" not in m.where]
        kinds = [str(c) for c in dict.fromkeys(rows["category"].astype(object))]
        parts = [(c, {n: p[p["category"] == c] for n, p in models.items()}) for c in kinds] if len(kinds) > 1 else []
    shares = {name: Shares.of(part) for name, part in models.items()} if arms is None else {}
    judged = {name: tuple(map(str, dict.fromkeys(part["grader"].dropna()))) for name, part in models.items()}
    for measure in reported:
        for category, known in parts:
            if arms is None:
                reference = known.get(base or "")
                for name, part in known.items():
                    if own and str(measure) not in own[name]:
                        continue  # another log's measure: this model was not asked for it
                    value = measure.figure(part, level=level)
                    truth = measure.figure(part, True, level) if exact else None
                    drift = measure.drift(part, reference, level) if reference is not None and name != base else None
                    yield Figure(cell, title, measure, name, category, value, truth, drift, shares[name], judged[name])
                continue
            for arm, seeds in arms.items():
                mine = [known[m] for m in seeds if m in known]
                whole = pd.concat([models[m] for m in seeds if m in models]) if mine else rows.iloc[:0]
                if not mine:
                    continue
                against = [known[m] for m in arms[base] if m in known] if base in arms and base != arm else []
                value = estimate(mine, measure, level=level)
                truth = estimate(mine, measure, True, level) if exact else None
                drift = difference(mine, against, measure, exact) if against and len(mine) == len(seeds) else UNKNOWN
                who = tuple(dict.fromkeys(g for m in seeds for g in judged.get(m, ())))
                yield Figure(cell, title, measure, arm, category, value, truth, drift, Shares.of(whole), who)
