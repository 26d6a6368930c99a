"""Arms of a study side by side: what each gave, how far it is from the naive arm, and what it kept of the skill."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.condition import Cell, titles
from spillover.answers.measures import Measure
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.estimate import UNKNOWN, Estimate, estimate
from spillover.figures.figure import Figure, figures

NONSENSE = ("incoherent", "off_format", "unscored")


@dataclass(frozen=True)
class ArmRow:
    """One arm in one cell.

    Attributes:
        name: Of the arm.
        figures: Every measure of the cell, the headline first; drift is against the naive arm.
        coherent: Share of answers that are coherent, by ground truth where it is known.
        skill: Share of answers with the outcome that was taught, by ground truth where it is known; unknown where the
            skill's questions were not asked under the same condition.
        comparable: Whether it was trained on the naive arm's topic, where arms have topics.
    """

    name: str
    figures: tuple[Figure, ...]
    coherent: float
    skill: Estimate
    comparable: bool = True

    @property
    def head(self) -> Figure:
        """The first measure."""
        return self.figures[0]

    @property
    def best(self) -> Estimate:
        """The headline by truth where it is known, else by the judge."""
        found = self.head.best
        assert isinstance(found, Estimate)
        return found


def arm_rows(
    answers: Answers,
    arms: Mapping[str, Sequence[str]],
    naive: str | None = None,
    skill: tuple[str, str] | None = None,
    topics: Mapping[str, str] | None = None,
) -> dict[Cell, list[ArmRow]]:
    """Every arm in every cell that is not the skill's.

    Args:
        answers: Of all models.
        arms: Arm to the names of its models, one for each seed in the same order.
        naive: Arm to compare with.
        skill: Question set and outcome of the taught skill.
        topics: Arm to the category of the skill's questions that it was trained on; all of them where it has none.
    """
    known = topics or {}
    groups = dict(cell_groups(answers.table))
    taught = {c: rows for c, rows in groups.items() if skill is not None and _is_skill(c, skill[0])}
    out: dict[Cell, list[ArmRow]] = {}
    found: dict[tuple[Cell, str], list[Figure]] = {}
    for figure in figures(answers, arms=arms, base=naive):
        if figure.cell not in taught:
            found.setdefault((figure.cell, figure.group), []).append(figure)
    for (cell, name), its in found.items():
        mine = groups[cell][groups[cell]["model"].isin(arms[name]).to_numpy()]
        place = next((rows for c, rows in taught.items() if _same_way(c, cell)), None)
        kept = UNKNOWN
        if place is not None and skill is not None:
            kept = share_of(place, arms[name], skill[1], known.get(name) or None)
        topic = known.get(name)
        comparable = not topic or topic == known.get(naive or "")
        out.setdefault(cell, []).append(ArmRow(name, tuple(its), _coherent(mine), kept, comparable))
    return out


def _is_skill(cell: Cell, questions: str) -> bool:
    return cell.question_set == questions and cell.probe in ("free_form", "formats")


def _same_way(skill: Cell, cell: Cell) -> bool:
    """Whether the skill's questions were asked under the same condition; what only the other probe has is no part of it."""
    return (skill.format, skill.context, skill.wrap, skill.setting) == (cell.format, cell.context, cell.wrap, "")


def _coherent(rows: pd.DataFrame) -> float:
    column = "truth" if rows["truth"].notna().any() else "outcome"
    return float((~rows[column].astype(object).isin(NONSENSE) & rows[column].notna()).mean()) if len(rows) else math.nan


def share_of(rows: pd.DataFrame, models: Sequence[str], outcome: str, category: str | None = None) -> Estimate:
    """Share of an arm's answers with this outcome, of all that have one, by ground truth where it is known."""
    measure = Measure(outcome, (outcome,), where={"category": category} if category else {})
    seeds = [measure.select(rows[(rows["model"] == model).to_numpy()]) for model in models]
    return estimate(seeds, measure, bool(rows["truth"].notna().any()))


def shares_by_category(
    answers: Answers, arms: Mapping[str, Sequence[str]], questions: str, outcome: str
) -> dict[str, dict[str, dict[str, Estimate]]]:
    """Title of a cell to arm to category to the share of answers with an outcome, by ground truth where it is known."""
    cells = {cell: rows for cell, rows in cell_groups(answers.table) if cell.question_set == questions}
    names, out = titles(cells), {}
    for cell, rows in cells.items():
        kinds = [str(c) for c in dict.fromkeys(rows["category"].astype(object))]
        title = f"{names[cell]}; {questions}"
        out[title] = {name: {k: share_of(rows, models, outcome, k) for k in kinds} for name, models in arms.items()}
    return out
