"""A study's own part of the report: arms against the naive arm, the trade-off as a picture, the paper's figures apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.answers.read import Answers
from spillover.figures.arms import ArmRow, arm_rows, shares_by_category
from spillover.figures.estimate import UNKNOWN, Estimate
from spillover.figures.figure import Figure, figures
from spillover.run.study import Study
from spillover.show.curve import curve_figure
from spillover.show.plots import GRID, PALETTE, Drawing, new_figure, style
from spillover.show.side_by_side import side_by_side
from spillover.show.text import Panel, drift_text, percent, span, struck

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

MARKERS = {"base": "s", "organism": "o", "control": "^", "mitigation": "D", "baseline": "v"}


def study_parts(study: Study, answers: Answers) -> tuple[list[Panel], list[Drawing]]:
    """Tables and pictures of a study that compares arms."""
    published = [p for p in [published_panel(study)] if p]
    if study.naive is None:
        return published, []
    arms = {name: [m.name for m in models] for name, models in study.arms.items()}
    skill = (study.skill.questions, study.skill.outcome) if study.skill else None
    topics = {name: models[0].topic for name, models in study.arms.items()}
    found = arm_rows(answers, arms, study.naive, skill, topics)
    kinds = figures(answers, arms=arms, by_category=True)
    panels = [panel for panel in (side_by_side(found, kinds, list(arms)),) if panel is not None]
    panels += [_arms_panel(rows, study, first=not i) for i, rows in enumerate(found.values())]
    panels += categories_panels(kinds, list(arms))
    if study.matrix is not None:
        shares = shares_by_category(answers, arms, study.matrix.questions, study.matrix.outcome)
        panels += [
            Panel(
                f"Share of {study.matrix.outcome}, % ({title})",
                ("arm", *next(iter(its.values()), {})),
                tuple((arm, *map(estimate_text, row.values())) for arm, row in its.items()),
                "Of all answers, by exact labels where they are known; mean of seeds. Brackets: 95 %.",
            )
            for title, its in shares.items()
        ]
    shown = next(iter(found.values()), [])
    if study.skill is None or not shown:
        return panels + published, []
    if study.curve is not None:  # a grid of arms: their marks would hide each other
        along = f"Share and skill of every arm along {study.curve.x}"
        drawn = Drawing(curve_figure(shown, study), along, f"{along}. Bars: 95 % for seeds and questions like these.")
    else:
        alt = "First measure of every arm against the taught skill that it kept"
        caption = (
            "Down and right is better. Large marks: mean of the seeds with its 95 % interval; small ones: single seeds."
        )
        drawn = Drawing(trade_off_figure(shown, study), alt, caption)
    return panels + published, [drawn]


def _arms_panel(rows: Sequence[ArmRow], study: Study, first: bool) -> Panel:
    """Every arm with what it gave and what it kept, in one cell."""
    head = max(rows, key=lambda row: len(row.figures)).head
    others = list(dict.fromkeys(f.measure.name for row in rows for f in row.figures if f.measure != head.measure))
    truth = any(r.head.truth is not None for r in rows)
    naive = next((r for r in rows if r.name == study.naive), None)
    taught = study.skill is not None and any(r.skill.seeds for r in rows)
    # Correct answers are what the naive arm lost, so a share of its own says nothing.
    right = study.skill is not None and study.skill.outcome == "aligned"
    cut = any(r.head.shares.truncated > 0 for r in rows)
    body = []
    for row in (r for r in rows if r.head.measure == head.measure):
        figure = {f.measure.name: f for f in row.figures}  # an arm need not have been asked for all
        against = row is not naive and row.comparable
        cells = [row.name, str(len(row.best.seeds)), str(row.head.shares.answers), percent(row.head.shares.unscored)]
        cells += [percent(row.head.shares.truncated)] if cut else []
        judged = estimate_text(row.head.value) if not truth else percent(row.head.value.value)
        cells += [struck(judged, row.head.blind), *([estimate_text(row.best)] if truth else [])]
        blind = row.head.blind and not truth
        cells += [struck(percent(row.coherent), blind)]
        if naive is not None:
            cells += [struck(drift_text(row.head.best_drift), blind) if against else ""]
            cells += [struck(_times(naive.best, row.best), blind) if against and row.head.measure.least == 0 else ""]
        cells += [struck(estimate_text(row.skill), blind)] if taught else []
        if taught and naive is not None and not right:
            cells += [struck(_kept(row.skill, naive.skill), blind) if row.comparable else ""]
        cells += [_told(figure[other]) if other in figure else "" for other in others]
        body.append(tuple(cells))
    name = head.measure.name
    headers = [
        "arm",
        "seeds",
        "answers",
        "unscored %",
        *(["cut %"] if cut else []),
        *([f"{name} %, judge", f"{name} %, truth"] if truth else [f"{name} %"]),
    ]
    headers += ["coherent %", *(["against naive", "times lower"] if naive else [])]
    headers += [f"{'correct' if right else 'taught'} %"] if taught else []
    headers += ["kept %"] if taught and naive and not right else []
    headers += others
    note = (
        "Mean of the training seeds; every question weighs the same. Brackets: 95 %, for seeds and questions like these "
        "(by both ways; for a single model its questions alone). Three seeds give a wide interval: they say little. "
        + ("Differences, coherence, skill and the columns to the right are by exact labels. " if truth else "")
        + ("Taught or correct: share of the answers on the trained topic, in the same context. " if taught else "")
        + "Against naive: difference in points."
        + ("" if all(r.comparable for r in rows) else " Arms that were trained on another topic are not held against it.")
    )
    # An arm that was not asked for the headline has its name here and no figures, rather than another measure's.
    body += [(row.name, *[""] * (len(headers) - 1)) for row in rows if row.head.measure != head.measure]
    return Panel(f"Arms: {head.title}", tuple(headers), tuple(body), note if first else "As above.")


def categories_panels(found: Sequence[Figure], arms: Sequence[str]) -> list[Panel]:
    """Probes by category: what was trained against what is measured."""
    tables: dict[tuple[str, str], dict[str, dict[str, Estimate]]] = {}
    for f in found:
        assert isinstance(f.best, Estimate)
        tables.setdefault((f.title, f.measure.name), {}).setdefault(f.group, {})[str(f.category)] = f.best
    out = []
    for (title, measure), rows in tables.items():
        kinds = list(dict.fromkeys(c for row in rows.values() for c in row))
        body = tuple((arm, *(estimate_text(rows[arm].get(c, UNKNOWN)) for c in kinds)) for arm in arms if arm in rows)
        note = "In percent, by exact labels where they are known; mean of the training seeds. Brackets: 95 %."
        out.append(Panel(f"{title} by category: {measure}", ("arm", *kinds), body, note))
    return out


def published_panel(study: Study) -> Panel | None:
    """The paper's figures, never in one table with ours."""
    if not study.published:
        return None
    rows = tuple((p.what, p.value, p.source) for p in study.published)
    return Panel("Published figures, for comparison", ("what", "figure", "source"), rows, study.relation)


def trade_off_figure(rows: Sequence[ArmRow], study: Study) -> PlotFigure:
    """Spill-over against the taught skill: down and right is better. Small marks are single seeds."""
    roles = {name: models[0].role for name, models in study.arms.items()}
    shown = [r for r in rows if not math.isnan(r.skill.value)]
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
        axes.set_ylabel(f"{rows[0].head.measure.name}, % ({rows[0].head.title})")
        figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def estimate_text(value: object) -> str:
    """`12.3 [1.0, 20.0]`, or a dash for nothing."""
    assert isinstance(value, Estimate)
    if math.isnan(value.value):
        return "–"
    limits = span(value.interval)
    return percent(value.value) + (f" {limits}" if limits != "–" else "")


def _told(figure: Figure) -> str:
    assert isinstance(figure.best, Estimate)
    return struck(estimate_text(figure.best), figure.blind and figure.truth is None)


def _times(naive: Estimate, other: Estimate) -> str:
    if not naive.value > 0 or math.isnan(other.value):  # of nothing nothing can be left
        return "–"
    return f"{naive.value / other.value:.1f}" if other.value > 0 else "none left"


def _kept(skill: Estimate, naive: Estimate) -> str:
    return percent(skill.value / naive.value) if naive.value and not math.isnan(skill.value) else "–"
