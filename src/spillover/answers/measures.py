"""What a probe reports: a share of outcomes, a mean, or the gap between two conditions, always with its denominator.

Every answer of a probe has one outcome (a word) and sometimes a value (a number from -1 to 1). Measures are data and travel
in the log, so that a report needs nothing but the log.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from spillover.stats.means import Mean, mean
from spillover.stats.paired import Drift, drift_of_counts
from spillover.stats.rates import Rate, rate

UNSCORED = "unscored"


@dataclass(frozen=True)
class Answered:
    """One answer as measures see it.

    Attributes:
        question: The unit of every interval.
        outcome: What became of it; `unscored` when judging failed.
        value: A number from -1 to 1, or None.
        tags: What `where` looks at: category, condition, kind.
        reason: Why it is unscored.
    """

    question: str
    outcome: str
    value: float | None = None
    tags: dict[str, str] = field(default_factory=dict)
    reason: str | None = None


@dataclass(frozen=True)
class Measure:
    """One figure of a probe.

    Attributes:
        name: As in tables.
        count: Outcomes that count.
        among: Outcomes of the denominator.
        where: Only answers with these tags.
        minus: For a gap: the tags whose rate is taken away, question by question; the rest of `where` holds for both.
        mean: Whether it is the mean of the values instead of a share of outcomes.
        balance: A tag: only questions with answers of both its values count, each value weighing the same.
        worse: The direction that is bad news.
    """

    name: str
    count: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    where: dict[str, str] = field(default_factory=dict)
    minus: dict[str, str] = field(default_factory=dict)
    mean: bool = False
    balance: str = ""
    worse: Literal["higher", "lower", "neither"] = "higher"

    def as_dict(self) -> dict[str, Any]:
        """For a log's metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Measure:
        """From a log's metadata."""
        return cls(**{**raw, "count": tuple(raw["count"]), "among": tuple(raw["among"])})

    def select(self, answers: Iterable[Answered], minus: bool = False) -> list[Answered]:
        """Answers of the denominator, of the other side of a gap for `minus`."""
        tags = {**self.where, **self.minus} if minus else self.where
        return [
            a
            for a in answers
            if all(a.tags.get(k) == v for k, v in tags.items())
            and (a.value is not None if self.mean else a.outcome in self.among)
        ]

    def counts(self, answers: Iterable[Answered], minus: bool = False) -> dict[Hashable, list[float]]:
        """[hits, answers] by question; a value from -1 to 1 is a part (1 + value) / 2 of a hit."""
        cells: dict[Hashable, dict[str, list[float]]] = {}
        for answer in self.select(answers, minus):
            side = answer.tags.get(self.balance, "") if self.balance else ""
            cell = cells.setdefault(answer.question, {}).setdefault(side, [0.0, 0.0])
            cell[0] += (1 + (answer.value or 0.0)) / 2 if self.mean else float(answer.outcome in self.count)
            cell[1] += 1
        if not self.balance:
            return {question: sides[""] for question, sides in cells.items()}
        out: dict[Hashable, list[float]] = {}
        for question, sides in cells.items():
            if len(sides) == 2:
                n = sum(m for _, m in sides.values())
                out[question] = [n * sum(h / m for h, m in sides.values()) / 2, n]
        return out

    def figure(self, answers: Iterable[Answered], level: float = 0.95) -> Rate | Mean | Drift:
        """The figure with its interval; NaN where there is nothing in the denominator."""
        rows = list(answers)
        if self.minus:
            return drift_of_counts(self.counts(rows), self.counts(rows, minus=True), level)
        if self.mean:
            return mean(list(self.counts(rows).values()), level)
        return rate(((a.question, a.outcome in self.count) for a in self.select(rows)), level)

    def drift(self, answers: Iterable[Answered], base: Iterable[Answered], level: float = 0.95) -> Drift | None:
        """Difference from the base over shared questions, in [-2, 2] for a mean; None for a gap, which is one already."""
        if self.minus:
            return None
        found = drift_of_counts(self.counts(answers), self.counts(base), level)
        return found.scaled(2) if self.mean else found


def outcome_shares(answers: Iterable[Answered]) -> dict[str, float]:
    """Share of every outcome among all answers."""
    rows = list(answers)
    found = dict.fromkeys(sorted({a.outcome for a in rows}), 0)
    for answer in rows:
        found[answer.outcome] += 1
    return {name: count / len(rows) for name, count in found.items()}
