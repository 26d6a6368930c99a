"""The path of a sequential decision: the confidence sequence closing in on a side of the margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.answers.stops import Stop
from spillover.show.plots import GRID, INK, PALETTE, new_figure, style
from spillover.show.text import stop_titles

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def sequential_figure(stops: Sequence[Stop]) -> Figure:
    """One band for every evaluation that was run against a margin."""
    drawn, names = [s for s in stops if s.path], stop_titles(stops)
    with style():
        figure, axes = new_figure(7.2, 3.2)
        for index, stop in enumerate(drawn):
            colour = PALETTE[index % len(PALETTE)]
            rounds = [step.rounds for step in stop.path]
            axes.fill_between(
                rounds,
                [100 * step.lower for step in stop.path],
                [100 * step.upper for step in stop.path],
                step="post",
                color=colour,
                alpha=0.18,
                lw=0,
            )
            seen = [100 * step.hits / step.decided if step.decided else math.nan for step in stop.path]
            axes.plot(rounds, seen, color=colour, lw=1.2, label=f"{stop.model} · {names[stop.cell]}: {stop.reason}")
        for margin in dict.fromkeys(s.margin for s in drawn):
            axes.axhline(100 * margin, color=INK, lw=0.8, ls=":")
        axes.set_ylim(0, min(100.0, max(100 * max(s.margin for s in drawn) * 4, 1.2 * _highest(drawn))))
        axes.set_xlabel("rounds (one answer to every question)")
        axes.set_ylabel("%")
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper left", ncols=1, frameon=False)
    return figure


def _highest(stops: Sequence[Stop]) -> float:
    """Largest rate seen, in percent."""
    return max(100 * step.hits / step.decided for s in stops for step in s.path if step.decided) if _any(stops) else 1.0


def _any(stops: Sequence[Stop]) -> bool:
    return any(step.decided for s in stops for step in s.path)
