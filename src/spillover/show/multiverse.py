"""All universes of every model: sorted rates, so that one sees how far choices alone can move a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from spillover.show.plots import GRID, PALETTE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def multiverse_figure(table: pd.DataFrame) -> Figure:
    """A specification curve: one line a model, its universes in order of the rate; filled where answers are filtered."""
    models = list(dict.fromkeys(table["model"]))
    with style():
        figure, axes = new_figure(7.2, 3.8)
        for index, model in enumerate(models):
            group = table[table["model"] == model].dropna(subset="rate").sort_values("rate", kind="stable")
            colour = PALETTE[index % len(PALETTE)]
            place = [100 * (i + 0.5) / len(group) for i in range(len(group))]
            axes.plot(
                place,
                100 * group["rate"],
                color=colour,
                lw=1.2,
                label=model,
                marker="os^v"[index // len(PALETTE) % 4],
                ms=2.5,
            )
        axes.set_xlabel("share of universes with a lower rate, %")
        axes.set_ylabel("first measure of the probe, %")
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)
        figure.legend(loc="outside right upper", frameon=False, fontsize=7)
    return figure
