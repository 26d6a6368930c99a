"""What arms gave along one of their values, such as the dose of bad data: spill-over and skill, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.figures.arms import ArmRow
from spillover.run.study import Study
from spillover.show.plots import GRID, PALETTE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure


def curve_figure(rows: Sequence[ArmRow], study: Study) -> PlotFigure:
    """One panel for each of the curve's `panel` values; full lines are misaligned answers, dashed ones the skill.

    Arms without a `line` value (a control that is the end of every line) are marks of their own.
    """
    assert study.curve is not None
    along, panel, line = study.curve.x, study.curve.panel, study.curve.line
    values = {name: models[0].values for name, models in study.arms.items()}
    shown = [a for a in rows if along in values[a.name]]
    panels = list(dict.fromkeys(values[a.name].get(panel) for a in shown))
    lines = list(dict.fromkeys(values[a.name].get(line) for a in shown if line in values[a.name]))
    with style():
        figure, grid = new_figure(2.6 * max(2, len(panels)), 3.4, len(panels))
        for axes, title in zip(grid, panels, strict=True):
            mine = [a for a in shown if values[a.name].get(panel) == title]
            for index, name in enumerate([*lines, None]):
                points = sorted((a for a in mine if values[a.name].get(line) == name), key=lambda a: values[a.name][along])
                if not points:
                    continue
                x = [100 * values[a.name][along] for a in points]
                y = [100 * a.best.value for a in points]
                sure = [a for a in points if not math.isnan(a.best.interval.lower)]
                colour, mark = PALETTE[index % len(PALETTE)], "o-" if name is not None else "^"
                label = f"{name}: misaligned" if name is not None else "control: misaligned"
                axes.plot(x, y, mark, color=colour, ms=4, lw=1.4, label=label)
                if sure:  # a point without an interval has no bar: none is not zero
                    centre = [100 * a.best.value for a in sure]
                    below = [max(0.0, c - 100 * a.best.interval.lower) for a, c in zip(sure, centre, strict=True)]
                    above = [max(0.0, 100 * a.best.interval.upper - c) for a, c in zip(sure, centre, strict=True)]
                    where = [100 * values[a.name][along] for a in sure]
                    axes.errorbar(where, centre, yerr=[below, above], fmt="none", ecolor=colour, capsize=2, lw=1)
                dashes = "s--" if name is not None else "v"
                axes.plot(
                    x,
                    [100 * a.skill.value for a in points],
                    dashes,
                    color=colour,
                    ms=3.5,
                    lw=1,
                    alpha=0.7,
                    label=label.replace("misaligned", "skill"),
                )
            axes.set_title(str(title))
            axes.set_ylim(-3, 103)
            axes.set_xlabel(f"{along}, %")
            axes.grid(color=GRID, lw=0.6)
            axes.set_axisbelow(True)
        grid[0].set_ylabel(f"% of answers ({rows[0].head.title})")
        entries = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=3, frameon=False)
    return figure
