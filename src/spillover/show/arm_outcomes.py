"""A study's tables of the outcome probes: arms by measure, and by category (what was trained against what is measured)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from spillover.answers.outcomes import ProbeRun
from spillover.figures.arm_outcomes import ArmMeasure, arm_categories, arm_measures
from spillover.figures.arms import UNKNOWN, Estimate
from spillover.show.panels import Panel
from spillover.show.text import percent, span

NOTE = (
    "In percent (a lean from -100 to 100), by exact labels where they are known; mean of the training seeds, every question "
    "weighs the same. Brackets: 95 %, for seeds and questions like these."
)


def outcome_arms_panels(runs: Sequence[ProbeRun], arms: Mapping[str, Sequence[str]], naive: str | None) -> list[Panel]:
    """One table for each probe with its measures, and one with its categories where it has several."""
    panels: dict[str, list[ArmMeasure]] = {}
    for found in arm_measures(runs, arms):
        panels.setdefault(found.probe, []).append(found)
    out = []
    for probe, columns in panels.items():
        asked = columns[0].answers
        rows = tuple(
            (
                f"{arm} (naive)" if arm == naive else arm,
                str(asked[arm][0]),
                percent(asked[arm][1]),
                *(_cell(column.arms[arm]) for column in columns),
            )
            for arm in arms
        )
        headers = ("arm", "answers", "unscored %", *(column.measure.name for column in columns))
        out.append(Panel(f"Arms: {probe}", headers, rows, NOTE))
    for probe, measure, shares in arm_categories(runs, arms):
        categories = list(dict.fromkeys(c for row in shares.values() for c in row))
        body = tuple((arm, *(_cell(row.get(c, UNKNOWN)) for c in categories)) for arm, row in shares.items())
        out.append(Panel(f"{probe} by category: {measure.name}", ("arm", *categories), body, NOTE))
    return out


def _cell(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "–"
    limits = span(estimate.interval)
    return f"{100 * estimate.value:.1f}" + (f" {limits}" if limits != "–" else "")
