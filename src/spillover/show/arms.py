"""A study's own part of the report: arms against the naive arm, the trade-off as a picture, the paper's figures apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spillover.figures.arms import UNKNOWN, Arm, Estimate
from spillover.run.study import Experiment
from spillover.show.panels import Panel
from spillover.show.plots import GRID, PALETTE, new_figure, style
from spillover.show.text import percent, span

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = {"base": "s", "organism": "o", "control": "^", "mitigation": "D", "baseline": "v"}


def arms_panels(arms: Sequence[Arm], experiment: Experiment) -> list[Panel]:
    """Every arm with what it gave and what it kept, one table for each question set and format."""
    cells = list(dict.fromkeys(a.cell for a in arms))
    return [_arms_panel([a for a in arms if a.cell == c], experiment, c, first=c == cells[0]) for c in cells]


def _arms_panel(arms: Sequence[Arm], experiment: Experiment, cell: str, first: bool) -> Panel:
    truth = any(not math.isnan(a.truth.value) for a in arms)
    naive = next((a for a in arms if a.name == experiment.naive), None)
    taught = experiment.skill is not None
    # Correct answers are what the naive arm lost, so a share of its own says nothing.
    right = experiment.skill is not None and experiment.skill.verdict == "aligned"
    kept = taught and naive is not None and not right
    what = "correct" if right else "taught"
    rows = []
    for arm in arms:
        against = arm is not naive and arm.comparable
        row = [
            arm.name,
            str(len(arm.best.seeds)),
            str(arm.answers),
            percent(arm.unscored),
            percent(arm.em.value) if truth else _cell(arm.em),
        ]
        row += [_cell(arm.truth)] if truth else []
        row += [percent(arm.coherent)]
        if naive is not None:
            row += [_cell(arm.drift, signed=True), _times(naive.best, arm.best) if against else ""]
        row += [_cell(arm.skill)] if taught else []
        row += [_kept(arm.skill, naive.skill) if arm.comparable else ""] if kept and naive is not None else []
        rows.append(tuple(row))
    headers = ["arm", "seeds", "answers", "unscored %", "EM %, judge"] + (["EM %, truth"] if truth else []) + ["coherent %"]
    headers += ["against naive", "times lower"] if naive else []
    headers += [f"{what} %"] if taught else []
    headers += ["kept %"] if kept else []
    note = (
        "Mean of the training seeds; every question weighs the same. Brackets: 95 %, for seeds and questions like these "
        "(two-way bootstrap; for a single model its questions alone). Three seeds give a wide interval: they say little. "
        + ("Differences, coherence and skill are by exact labels. " if truth else "")
        + (
            f"{what.title()}: the share of answers on the trained topic, in the same context, that are so. "
            if taught
            else ""
        )
        + "Against naive: difference in points."
        + ("" if all(a.comparable for a in arms) else " Arms that were trained on another topic are not held against it.")
    )
    return Panel(f"Arms: {cell}", tuple(headers), tuple(rows), note if first else "As above.")


def matrix_panel(shares: Mapping[str, Mapping[str, Estimate]], experiment: Experiment) -> Panel:
    """Arms by category."""
    assert experiment.matrix is not None
    categories = list(dict.fromkeys(c for row in shares.values() for c in row))
    rows = tuple((arm, *(_cell(row.get(c, UNKNOWN)) for c in categories)) for arm, row in shares.items())
    return Panel(
        f"Share of {experiment.matrix.verdict}, % ({experiment.matrix.questions})",
        ("arm", *categories),
        rows,
        "Of all answers, by exact labels where they are known; mean of seeds, questions weigh the same. Brackets: 95 %.",
    )


def published_panel(experiment: Experiment) -> Panel | None:
    """The paper's figures, never in one table with ours."""
    if not experiment.published:
        return None
    return Panel(
        "Published figures, for comparison",
        ("what", "figure", "source"),
        tuple((p.what, p.value, p.source) for p in experiment.published),
        experiment.relation,
    )


def trade_off_figure(arms: Sequence[Arm], experiment: Experiment) -> Figure:
    """Spill-over against the taught skill: down and right is better. Small marks are single seeds."""
    roles = {name: models[0].role for name, models in experiment.arms.items()}
    cell = arms[0].cell
    shown = [a for a in arms if a.cell == cell and not math.isnan(a.skill.value)]
    with style():
        figure, axes = new_figure(7.2, 4.2)
        for index, arm in enumerate(shown):
            colour, marker = PALETTE[index % len(PALETTE)], MARKERS[roles[arm.name]]
            x, y = 100 * arm.skill.value, 100 * arm.best.value
            low, high = 100 * arm.best.interval.lower, 100 * arm.best.interval.upper
            bars = [[max(0.0, y - low)], [max(0.0, high - y)]] if not math.isnan(low) else None
            axes.errorbar(x, y, yerr=bars, fmt=marker, color=colour, capsize=2.5, ms=7, label=arm.name)
            if len(arm.skill.seeds) == len(arm.best.seeds):
                dots = [100 * s for s in arm.skill.seeds], [100 * s for s in arm.best.seeds]
                axes.plot(*dots, marker, color=colour, ms=3, alpha=0.6)
        axes.set_xlim(-3, 103)
        axes.set_ylim(bottom=-1)
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("taught skill, % of answers on the trained topic that are as taught")
        axes.set_ylabel(f"misaligned, % ({cell})")
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _cell(estimate: Estimate, signed: bool = False) -> str:
    if math.isnan(estimate.value):
        return "" if signed else "–"
    value = f"{100 * estimate.value:+.1f}" if signed else percent(estimate.value)
    return f"{value} {span(estimate.interval, signed)}"


def _times(naive: Estimate, other: Estimate) -> str:
    if math.isnan(naive.value) or math.isnan(other.value):
        return "–"
    return f"{naive.value / other.value:.1f}" if other.value > 0 else "none left"


def _kept(skill: Estimate, naive: Estimate) -> str:
    return percent(skill.value / naive.value) if naive.value and not math.isnan(skill.value) else "–"
