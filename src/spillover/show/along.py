"""One model along its checkpoints, doses or versions: the first measure of every probe, as lines and as a table."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.figures.along import Series, position, series_of
from spillover.figures.figure import Figure, limits
from spillover.show.plots import GRID, INK, PALETTE, Drawing, legend_columns, new_figure, style, with_values
from spillover.show.text import Panel, drift_text, limits_text, struck, suite_text, value_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure


def along_panels(found: Sequence[Figure], base: str | None) -> list[Panel]:
    """A table for every series among the models; none where there is no series."""
    heads = with_values(found)
    return [_panel(series, heads, base) for series in _series(heads, base)]


def along_drawings(found: Sequence[Figure], base: str | None) -> list[Drawing]:
    """A picture for each of them. A judge that cannot tell makes no line."""
    heads = [f for f in with_values(found) if not f.blind]
    drawn = []
    for series in _series(heads, base):
        told = f"First measure of every probe along {series.name}"
        caption = f"{told}: bars are 95 % for questions like these{', dashes the base' if base else ''}."
        drawn.append(Drawing(along_figure(series, heads, base), told, caption))
    return drawn


def _series(heads: Sequence[Figure], base: str | None) -> list[Series]:
    return series_of(dict.fromkeys(f.group for f in heads if f.group != base))


def _panel(series: Series, heads: Sequence[Figure], base: str | None) -> Panel:
    body, last = [], ""
    for title in dict.fromkeys(f.title for f in heads):
        for number, model in series.points:
            f = next((f for f in heads if f.title == title and f.group == model), None)
            if f is None:
                continue
            what = f"{title}: {f.measure.name}"
            row = [what if what != last else "", number, struck(value_text(f.value, f.measure.mean), f.blind)]
            row += [suite_text(f.value), limits_text(f.value, f.measure.mean)]
            row += [struck(drift_text(f.drift), f.blind)] if base else []
            body.append(tuple(row))
            last = what
    headers = ("measure", "at", "figure", "on this suite", "questions like these", *(("drift, points",) if base else ()))
    note = "Models whose names differ in one number, in its order."
    return Panel(f"Along {series.name}", headers, tuple(body), note)


def along_figure(series: Series, heads: Sequence[Figure], base: str | None) -> PlotFigure:
    """A line for every probe; the horizontal axis is the number, or the order where one is far from the others."""
    titles = list(dict.fromkeys(f.title for f in heads))
    where = [position(number) for number, _ in series.points]
    place = _places(where)
    with style():
        columns = legend_columns([f"{f.title}: {f.measure.name}" for f in heads])
        figure, axes = new_figure(7.2, 3.4 + 0.2 * math.ceil(len(titles) / columns))
        for index, title in enumerate(titles):
            colour = PALETTE[index % len(PALETTE)]
            known = {f.group: f for f in heads if f.title == title}
            points = [(x, known[model]) for x, (_, model) in zip(place, series.points, strict=True) if model in known]
            if not points:
                continue
            x, y = [p for p, _ in points], [100 * f.value.value for _, f in points]
            axes.plot(x, y, "o-", color=colour, ms=4, lw=1.4, label=f"{title}: {points[0][1].measure.name}")
            sure = [(p, f) for p, f in points if not math.isnan(limits(f.value).lower)]
            if sure:
                centre = [100 * f.value.value for _, f in sure]
                below = [max(0.0, c - 100 * limits(f.value).lower) for c, (_, f) in zip(centre, sure, strict=True)]
                above = [max(0.0, 100 * limits(f.value).upper - c) for c, (_, f) in zip(centre, sure, strict=True)]
                axes.errorbar([p for p, _ in sure], centre, yerr=[below, above], fmt="none", ecolor=colour, capsize=2, lw=1)
            if base in known:
                axes.axhline(100 * known[base].value.value, color=colour, lw=1, ls="--", alpha=0.7)
        axes.set_xticks(place, [number for number, _ in series.points])
        axes.set_xlabel(series.name)
        axes.set_ylabel("%")
        axes.axhline(0, color=INK, lw=0.5)
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper center", ncols=columns, frameon=False)
    return figure


def _places(where: Sequence[float]) -> list[float]:
    """The numbers themselves, unless two would stand on each other: then their order."""
    gaps = [b - a for a, b in itertools.pairwise(where)]
    crowded = min(gaps) < (where[-1] - where[0]) / 40
    return [float(i) for i in range(len(where))] if crowded else list(where)
