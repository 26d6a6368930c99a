"""Models against their base, and formats against plain answers: tests with a margin, and effects pooled over models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.condition import Cell
from spillover.answers.measures import Counts, Measure
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.figure import Figure
from spillover.stats.multiplicity import holm
from spillover.stats.paired import Drift, MarginTest, drift_of_counts, margin_test


@dataclass(frozen=True)
class Tested:
    """One model against the base on the first measure of a cell that can be tested.

    Attributes:
        figure: With its drift.
        test: Against the margin.
        p_holm: p value of "no drift", corrected for all rows of the table.
    """

    figure: Figure
    test: MarginTest
    p_holm: float


def margin_tests(answers: Answers, found: Sequence[Figure], base: str, margin: float, alpha: float = 0.05) -> list[Tested]:
    """Every model's drift in the headline of every cell: non-inferiority, equivalence, difference with Holm's correction.

    Args:
        answers: Behind the figures.
        found: Figures of models with drift from the base.
        base: Name of the base.
        margin: Largest drift that is accepted, in (0, 1).
        alpha: One-sided error rate.
    """
    rows = dict(cell_groups(answers.table))
    seen: set[tuple[Cell, str]] = set()
    tested: list[tuple[Figure, MarginTest]] = []
    for figure in found:
        drift = figure.drift
        if (figure.cell, figure.group) in seen or not isinstance(drift, Drift) or drift.value != drift.value:
            continue
        if not figure.measure.gateable or figure.category is not None:
            continue
        seen.add((figure.cell, figure.group))
        part = rows[figure.cell]
        mine, its = (figure.measure.counts(part[(part["model"] == name).to_numpy()]) for name in (figure.group, base))
        if figure.measure.worse == "lower":  # a fall is the bad news: test the rise of what is left
            mine, its = _rest(mine), _rest(its)
        tested.append((figure, margin_test(mine, its, margin, alpha)))
    adjusted = holm([test.p_difference for _, test in tested])
    return [Tested(figure, test, p) for (figure, test), p in zip(tested, adjusted, strict=True)]


def _rest(counts: Counts) -> Counts:
    return {q: [n - h, n] for q, (h, n) in counts.items()}


@dataclass(frozen=True)
class Effect:
    """A format against the reference on the same questions; `drift` is None for the reference itself."""

    probe: str
    question_set: str
    model: str
    format: str
    drift: Drift | None


POOLED = "all models, pooled"


def format_effects(answers: Answers, measure: Measure) -> list[Effect]:
    """Each format of a probe against plain answers (or the first format), per model and pooled.

    Pooled, each model's questions are units of their own. Answers that differ in anything else are not compared.
    """
    table = answers.table
    keys = ["probe", "question_set", "context", "wrap", "method", "world", "setting"]
    out: list[Effect] = []
    paired = set(table[(table["probe"] == "formats").to_numpy()]["question_set"].astype(object))
    for (probe, questions, *_), rows in table.groupby(keys, sort=False, observed=True):
        names = [str(name) for name in dict.fromkeys(rows["format"].astype(object))]
        if len(names) < 2 or (probe != "formats" and questions in paired):
            continue
        reference = "plain" if "plain" in names else names[0]
        models = [str(name) for name in dict.fromkeys(rows["model"].astype(object))]
        for fmt in names:
            here, there = (rows[(rows["format"] == name).to_numpy()] for name in (fmt, reference))
            for name, mine, its in _sides(models, here, there, measure):
                drift = None if fmt == reference else drift_of_counts(mine, its)
                out.append(Effect(str(probe), str(questions), name, fmt, drift))
    return out


def _sides(
    models: Sequence[str], here: pd.DataFrame, there: pd.DataFrame, measure: Measure
) -> Iterator[tuple[str, Counts, Counts]]:
    pooled: tuple[Counts, Counts] = ({}, {})
    for model in models:
        sides = [measure.counts(side[(side["model"] == model).to_numpy()]) for side in (here, there)]
        for pool, side in zip(pooled, sides, strict=True):
            pool |= {(model, question): cell for question, cell in side.items()}
        yield model, sides[0], sides[1]
    if len(models) > 1:
        yield POOLED, *pooled
