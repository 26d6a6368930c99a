"""Answers into figures: one function for every probe, measure and grouping. Pages render what comes out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.certified import Judge
from spillover.answers.condition import Cell, titles
from spillover.answers.measures import UNSCORED, Measure
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.answers.tables import IMPORTED
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
        truncated: Cut by the token limit; NaN where nothing is known of that.
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
        if not cut and (rows["probe"] == IMPORTED).all():
            cut = float("nan")  # a table that names no cut answer says nothing of them
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
        drift: Of `value` from the base model, or arm, in the same cell; None for the base itself and without one; NaN where
            there is a base and nothing to compare.
        truth_drift: The same of `truth`.
        shares: What stands beside it.
        judges: Who judged, and what is known of that.
    """

    cell: Cell
    title: str
    measure: Measure
    group: str
    category: str | None
    value: Value
    truth: Value | None
    drift: Drift | Estimate | None
    truth_drift: Drift | Estimate | None
    shares: Shares
    judges: tuple[Judge, ...] = ()

    @property
    def graders(self) -> tuple[str, ...]:
        """Names of the judges."""
        return tuple(dict.fromkeys(judge.grader for judge in self.judges))

    @property
    def blind(self) -> bool:
        """Whether a judge of it is known to be unable to tell; what no judge read (a valid format) is not."""
        return self.measure.of in ("outcome", "domain") and any(judge.problem for judge in self.judges)

    @property
    def interval(self) -> Interval:
        """For questions like these (a gap's own interval, and an arm's for seeds like these, too)."""
        return limits(self.value)

    @property
    def best(self) -> Value:
        """By truth where it is known, else by the judge."""
        return self.value if self.truth is None else self.truth

    @property
    def best_drift(self) -> Drift | Estimate | None:
        """Drift by truth where it is known, else by the judge."""
        return self.drift if self.truth is None else self.truth_drift


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
    """Every measure of every group in every cell, in order of appearance; of models the base comes first.

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
    out: list[Figure] = []
    for cell, rows in groups:
        block = _Block(cell, names[cell], rows, answers, measures, level)
        for measure, category in block.columns(by_category):
            out += block.of_arms(measure, category, arms, base) if arms else block.of_models(measure, category, base)
    return out


class _Block:
    """One cell of answers."""

    def __init__(
        self,
        cell: Cell,
        title: str,
        rows: pd.DataFrame,
        answers: Answers,
        measures: Sequence[Measure] | None,
        level: float,
    ) -> None:
        self.cell, self.title, self.rows, self.level = cell, title, rows, level
        self.models = {str(name): part for name, part in rows.groupby("model", sort=False, observed=True)}
        self.exact = bool(rows["truth"].notna().any())
        self.reported = list(answers.measures(rows) if measures is None else measures)
        self.own = {} if measures is not None else {n: answers.measures(part) for n, part in self.models.items()}
        self.judges = {n: tuple(answers.judges(p)) for n, p in self.models.items()}
        self.shares: dict[str, Shares] = {}

    def columns(self, by_category: bool) -> list[tuple[Measure, str | None]]:
        """What is reported: every measure, or the first one by category."""
        if not by_category:
            return [(measure, None) for measure in self.reported]
        kinds = [str(c) for c in dict.fromkeys(self.rows["category"].astype(object))]
        heads = [m for m in self.reported[:1] if "category" not in m.where]
        if len(kinds) < 2 or len(kinds) == self.rows["question_id"].nunique():  # one question each is no category
            return []
        return [(measure, kind) for measure in heads for kind in kinds]

    def of_models(self, measure: Measure, category: str | None, base: str | None) -> Iterator[Figure]:
        first = sorted(self.models, key=lambda name: name != base)
        known = {name: _within(self.models[name], category) for name in first}
        reference = known.get(base or "")
        for name, part in known.items():
            if self.own and measure not in self.own[name]:
                continue  # another log's measure: this model was not asked for it
            value = measure.figure(part, level=self.level)
            truth = measure.figure(part, True, self.level) if self.exact else None
            against = reference if name != base else None
            drift = None if against is None else measure.drift(part, against, level=self.level)
            true_drift = None if against is None or not self.exact else measure.drift(part, against, True, self.level)
            if name not in self.shares:
                self.shares[name] = Shares.of(self.models[name])
            about = (self.shares[name], self.judges[name])
            yield Figure(self.cell, self.title, measure, name, category, value, truth, drift, true_drift, *about)

    def of_arms(
        self, measure: Measure, category: str | None, arms: Mapping[str, Sequence[str]], base: str | None
    ) -> Iterator[Figure]:
        known = {name: _within(part, category) for name, part in self.models.items()}
        for arm, seeds in arms.items():
            mine = [known[m] for m in seeds if m in known]
            if not mine or (self.own and not any(measure in self.own[m] for m in seeds if m in known)):
                continue
            against = [known[m] for m in arms.get(base or "", ()) if m in known] if base != arm else []
            value = estimate(mine, measure, level=self.level)
            truth = estimate(mine, measure, True, self.level) if self.exact else None
            drift = true_drift = None
            if against:
                whole = len(mine) == len(seeds)
                drift = difference(mine, against, measure, False) if whole else UNKNOWN
                true_drift = (difference(mine, against, measure, True) if whole else UNKNOWN) if self.exact else None
            if arm not in self.shares:
                self.shares[arm] = Shares.of(pd.concat([self.models[m] for m in seeds if m in self.models]))
            who = tuple({(j.grader, j.probe): j for m in seeds for j in self.judges.get(m, ())}.values())
            about = (self.shares[arm], who)
            yield Figure(self.cell, self.title, measure, arm, category, value, truth, drift, true_drift, *about)


def _within(rows: pd.DataFrame, category: str | None) -> pd.DataFrame:
    return rows if category is None else rows[(rows["category"] == category).to_numpy()]
