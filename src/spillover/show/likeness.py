"""Likeness of updates as a table with its nulls, and as a picture layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.figures.likeness import Curve, shown_k
from spillover.show.plots import GRID, INK, PALETTE, Drawing, style
from spillover.show.text import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

HEADERS = (
    "pair",
    "pairs",
    "side",
    "k",
    "overlap",
    "chance",
    "shared A",
    "angle °",
    "chance °",
    "|cos|",
    "chance |cos|",
    "updates",
)
NOTE = (
    "First k singular vectors of each update, mean over modules and layers; right: what is read, left: what is "
    "written. Overlap: mean squared cosine of the principal angles. Chance: random subspaces of the whole space. "
    "Shared A: random subspaces of the space that a common beginning of A leaves, so that only what is above it is "
    "likeness of what was learned. Updates: cosine of the whole updates, which has no such null on the side of B."
)


def likeness_parts(
    found: Sequence[Curve], alike: Sequence[tuple[str, str, float]], every: bool = False
) -> tuple[list[Panel], list[Drawing]]:
    """Table and picture; nothing for nothing.

    Args:
        found: Curves.
        alike: Pairs that began alike, with the cosine of their A matrices.
        every: Whether the table has every k; else the largest at which a shared beginning leaves room.
    """
    if not found:
        return [], []
    k = shown_k(found)
    rows = tuple(
        (
            c.name,
            str(c.pairs),
            c.side,
            str(c.k),
            _number(c.mean("overlap"), 3),
            _number(c.chance_mean("overlap"), 3),
            _number(c.shared_mean("overlap"), 3),
            _number(c.mean("angle"), 1),
            _number(c.chance_mean("angle"), 1),
            _number(c.mean("cosine"), 3),
            _number(c.chance_mean("cosine"), 3),
            _number(sum(c.inner) / len(c.inner), 3),
        )
        for c in found
        if every or c.k == k
    )
    title = "Likeness of updates"
    alt = "Overlap of the updates of each pair of adapters, layer by layer, beside chance"
    caption = (
        f"Overlap of the first {k} singular vectors by layer. Dashed: what a shared beginning of A alone gives; "
        "dotted: random subspaces."
    )
    return [Panel(title, HEADERS, rows, began_text(alike) + NOTE)], [Drawing(_figure(found, k), alt, caption)]


def began_text(alike: Sequence[tuple[str, str, float]]) -> str:
    """Which adapters began with the same A; empty for none."""
    if not alike:
        return ""
    told = ", ".join(f"{one} and {other} ({cosine:.2f})" for one, other, cosine in alike[:3])
    more = f" and {len(alike) - 3} pairs more" if len(alike) > 3 else ""
    return (
        f"These began with the same A matrices (cosine): {told}{more}. Their right singular vectors are alike for "
        "this reason alone; compare with the column 'shared A', or train with a `lora.seed` of each one's own. "
    )


def _figure(found: Sequence[Curve], k: int) -> PlotFigure:
    shown = [c for c in found if c.k == k]
    names = list(dict.fromkeys(c.name for c in shown))
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 3.4), layout="constrained")
        for axes, side in zip(figure.subplots(1, 2, sharey=True), ("right", "left"), strict=True):
            for c in (c for c in shown if c.side == side):
                colour = PALETTE[names.index(c.name) % len(PALETTE)]
                axes.plot(c.layers, c.values["overlap"], "o-", color=colour, ms=3, lw=1.4, label=c.name)
                if c.shared:
                    axes.plot(c.layers, c.shared["overlap"], "--", color=INK, lw=1)
                axes.plot(c.layers, c.chance["overlap"], ":", color=INK, lw=1)
            axes.set_title(f"{side} singular vectors")
            axes.set_xlabel("layer")
            axes.set_ylim(-0.02, 1.02)
            axes.grid(color=GRID, lw=0.6)
            axes.set_axisbelow(True)
        figure.axes[0].set_ylabel(f"overlap, k = {k}")
        entries = {label: handle for handle, label in zip(*figure.axes[0].get_legend_handles_labels(), strict=True)}
        figure.legend(entries.values(), entries.keys(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
