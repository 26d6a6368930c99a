"""Tables of the outcome probes: every measure of every model, and the spill-over matrix by category."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from spillover.answers.measures import UNSCORED, outcome_shares
from spillover.answers.outcomes import Figure, ProbeRun, by_category, figures
from spillover.show.panels import Panel
from spillover.show.text import percent, span
from spillover.stats.means import Mean
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval, Rate

NOTE = (
    "Shares in percent (hits/n); a lean runs from -100 (left) to +100 (right); a gap or an effect is in points. 95 % "
    "intervals for questions like these: the question is the unit. Drift: against the base on the same questions. Unscored "
    "answers count in no rate."
)


def probes_panels(runs: Sequence[ProbeRun], base: str | None = None) -> list[Panel]:
    """One table of measures and one of categories; nothing for no runs."""
    if not runs:
        return []
    panels = (_measures(list(figures(runs, base)), base), _categories(runs), _outcomes(runs), _agreement(runs))
    return [panel for panel in panels if panel]


def _measures(found: Sequence[Figure], base: str | None) -> Panel:
    exact = any(f.truth is not None for f in found)
    body, last = [], ("", "")
    for figure in found:
        place = (figure.probe, figure.measure.name)
        title = f"{figure.probe}: {figure.measure.name}" if place != last else ""
        last = place
        cells = [title, figure.model, value_text(figure.value), limits_text(figure.value, figure.measure.mean)]
        cells += [value_text(figure.truth) if figure.truth is not None else ""] if exact else []
        cells += [percent(figure.unscored)]
        cells += [drift_cell(figure.drift)] if base else []
        body.append(tuple(cells))
    headers = ["measure", "model", "figure", "95 % interval", *(["truth (lab)"] if exact else []), "unscored %"]
    return Panel("Probes", (*headers, *(["drift, points"] if base else [])), tuple(body), NOTE)


def _categories(runs: Sequence[ProbeRun]) -> Panel | None:
    body, last = [], ("", "")
    for probe, measure, model, found in by_category(runs):
        for category, figure in found.items():
            place = (probe, model)
            title = f"{probe}: {measure.name}" if place != last else ""
            last = place
            body.append((title, model, category, value_text(figure), span(figure.population, measure.mean)))
    if not body:
        return None
    note = "The first measure of each probe by category: does what was trained in one domain spill over to others?"
    return Panel("By category", ("measure", "model", "category", "figure", "95 % interval"), tuple(body), note)


def _outcomes(runs: Sequence[ProbeRun]) -> Panel:
    body = []
    for run in runs:
        shares = ", ".join(f"{name} {percent(share)}" for name, share in outcome_shares(run.answers).items())
        why = Counter(a.reason or "unknown" for a in run.answers if a.outcome == UNSCORED)
        reasons = ", ".join(f"{n} {reason}" for reason, n in why.most_common())
        body.append((run.title, run.model, str(len(run.answers)), shares, reasons))
    note = "Every answer, in percent: also those that are in no denominator above (incoherent, idle, unknown, unscored)."
    return Panel(
        "What became of all answers", ("probe", "model", "answers", "outcomes", "unscored because"), tuple(body), note
    )


def _agreement(runs: Sequence[ProbeRun]) -> Panel | None:
    body = []
    for run in runs:
        same, n = run.agreement
        if n and run.graders:
            body.append((run.title, run.model, f"{100 * same / n:.1f} ({same}/{n})"))
    if not body:
        return None
    note = "Share of answers for which the judge's outcome is the exact one: by the lab's labels, or by what was done."
    return Panel("Judge against what is known", ("probe", "model", "agree %"), tuple(body), note)


def value_text(figure: Rate | Mean | Drift) -> str:
    """`12.3 (31/252)` for a rate, `-12` for a lean, `+12.3` for a gap; a dash for nothing."""
    if math.isnan(figure.value):
        return "–"
    if isinstance(figure, Rate):
        return f"{percent(figure.value)} ({figure.hits}/{figure.n})"
    return f"{100 * figure.value:+.1f}"


def limits_text(figure: Rate | Mean | Drift, signed: bool = False) -> str:
    """`[1.0, 2.0]`, in percent or points."""
    limits: Interval = figure.interval if isinstance(figure, Drift) else figure.population
    return span(limits, signed or isinstance(figure, Drift))


def drift_cell(drift: Drift | None) -> str:
    """`+12.3 [+4.5, +20.1]`; nothing for the base itself or where a drift says nothing."""
    if drift is None:
        return ""
    return "–" if math.isnan(drift.value) else f"{100 * drift.value:+.1f} {span(drift.interval, signed=True)}"
