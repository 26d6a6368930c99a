"""The table of rates that are corrected for a judge's errors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.calibration import Calibration
from spillover.figures.figure import Figure
from spillover.show.text import Panel, percent, rate_text, span, value_text
from spillover.stats.correction import Corrected
from spillover.stats.rates import Rate


def corrected_panel(answers: Answers, found: Sequence[Figure], calibration: Calibration) -> Panel:
    """The rates of a probe corrected for its judge's errors."""
    rows, body = dict(cell_groups(answers.table)), []
    for f in found:
        if f.cell.probe != calibration.probe or f.measure.name != calibration.measure or not isinstance(f.value, Rate):
            continue
        part = rows[f.cell]
        by_error, by_labels = calibration.correct(part[(part["model"] == f.group).to_numpy()], f.cell, f.group, f.measure)
        truth = value_text(f.truth) if f.truth is not None else ""
        raw = f"{rate_text(f.value)} {span(f.value.population)}"
        kin = calibration.labels_of(f.group, f.cell)
        body.append((f"{f.group} · {f.title}", raw, _corrected(by_error), _corrected(by_labels), kin, truth))
    uneven = (
        f"The judge errs unevenly: {calibration.uneven}. Where labels are of others, too, Rogan-Gladen has no interval: "
        "what it got right of those says too little of these. "
        if calibration.uneven
        else ""
    )
    return Panel(
        "Corrected for the judge's errors",
        (calibration.measure, "raw %", "Rogan-Gladen", "prediction-powered", "labels are of", "truth (lab)"),
        tuple(body),
        f"{uneven}{len(calibration.labels)} labels ({calibration.source}). Rogan-Gladen: by the judge's sensitivity and "
        "specificity, as long as it errs here as it did there. Prediction-powered: by labels of these very answers. Both "
        "are shares of the answers that the judge decides; the truth has the truly decided ones as its denominator. "
        "Intervals include the labels' own uncertainty; the questions of labels are units, too.",
    )


def _corrected(c: Corrected) -> str:
    if c.labels == 0:
        return "too few labels"
    return f"{percent(c.value)} {'(no interval)' if math.isnan(c.interval.lower) else span(c.interval)}"
