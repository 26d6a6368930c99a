"""The first measure of every probe against the base, the largest rise first: what a terminal shows of a whole suite."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spillover.figures.figure import Figure
from spillover.figures.glance import headlines, rise
from spillover.show.text import Panel, drift_text, limits_text, percent, struck, suite_text, value_text

FEW = 4
"""Probes whose every measure is still read at a glance."""


def headlines_panel(found: Sequence[Figure], base: str | None) -> Panel | None:
    """One line a probe and model, with the base's figure beside it; None if so few probes need no such table."""
    if len({f.cell for f in found}) <= FEW:
        return None
    heads = headlines(found)
    told = f"The first measure of each probe, of {len(found)} figures: --details prints all of them, the page has them."
    exact = any(f.truth is not None for f in heads)
    of_base = {f.cell: f for f in heads if f.group == base}
    shown = sorted((f for f in heads if f.group != base), key=_order) if base else heads
    many = len({f.group for f in shown}) > 1
    headers = ["probe: measure", *(["model"] if many else []), "figure"]
    headers += ["base", "drift, points", "on this suite"] if base else ["on this suite", "questions like these"]
    headers += [*(["truth (lab)"] if exact else []), "unscored %"]
    body = []
    for f in shown:
        row = [f"{f.title}: {f.measure.name}", *([f.group] if many else [])]
        own = f"{value_text(f.value, f.measure.mean)} {suite_text(f.value) if base else ''}".rstrip()
        row.append(struck(own, f.blind))
        if base:
            other = of_base.get(f.cell)
            row.append(struck(value_text(other.value, other.measure.mean), other.blind) if other else "–")
            row += [struck(drift_text(f.drift) or "–", f.blind), suite_text(f.drift) if f.drift is not None else ""]
        else:
            row += [suite_text(f.value), limits_text(f.value, f.measure.mean)]
        row += [value_text(f.truth, f.measure.mean) if f.truth is not None else ""] if exact else []
        body.append((*row, percent(f.shares.unscored)))
    whose = ", of a share the one on this suite" if base else ""
    drifts = ", drifts for questions like these and, beside them, on this suite; the largest rise first" if base else ""
    note = (
        "Shares in percent (hits/n), a lean from -100 (left) to +100 (right), a gap in points; 95 % intervals"
        f"{whose}{drifts}. {told}"
    )
    return Panel("Headlines", tuple(headers), tuple(body), note)


def _order(figure: Figure) -> tuple[int, float]:
    """Rises by size, then what is neither good nor bad, then what has no drift."""
    if figure.drift is None or math.isnan(figure.drift.value):
        return 2, 0.0
    return (1, 0.0) if figure.measure.worse == "neither" else (0, -rise(figure)[0])
