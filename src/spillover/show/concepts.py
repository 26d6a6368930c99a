"""Concepts and spill-over between domains: what unlearning one did to the others, beside how alike their vectors are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spillover.show.plots import Drawing, style
from spillover.show.text import Panel, points_text
from spillover.stats.association import Association, associate

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

Table = NDArray[np.float64]


def concept_parts(
    likeness: Mapping[str, Sequence[Sequence[float]]], spills: Mapping[str, Table], domains: Sequence[str]
) -> tuple[list[Panel], list[Drawing]]:
    """Tables and a picture.

    Args:
        likeness: Layer to cosines, shape (domains, domains).
        spills: Method to the fall of refusals, as a share: row the domain that was unlearned, column the domain that was
            measured; NaN where nothing was.
        domains: In the tables' order.
    """
    panels = [_spill_panel(method, spill, domains) for method, spill in spills.items()]
    rows = []
    for method, spill in spills.items():
        for layer, cosines in likeness.items():
            table = np.asarray(cosines, float)
            off = table[~np.eye(len(domains), dtype=bool)]
            found = associate(table, spill)
            rows.append((method, layer, f"{off.mean():.2f} ({off.min():.2f} to {off.max():.2f})", *_told(found)))
    headers = ("method", "layer", "cosine, mean (range)", "rank correlation", "p", "pairs", "domains")
    note = (
        "Cosine: of the vectors of two domains (harmful requests of the domain minus harmless requests of all, at the last "
        "token before the answer). Rank correlation: of cosine and fall of refusals over pairs of different domains. "
        "Brackets: 95 %, by leaving out one domain after the other; p: share of all orders of domains that give as much. "
        "These domains are few, and every layer is a test of its own."
    )
    panels.append(Panel("Likeness of concepts and spill-over", headers, tuple(rows), note))
    alt = "Cosines of the domains' vectors at each layer, and the fall of refusals for each unlearned domain"
    caption = "Left: cosines by layer. Right: fall of refusals in points; row unlearned, column measured."
    return panels, [Drawing(_figure(likeness, spills, domains), alt, caption)]


def _spill_panel(method: str, spill: Table, domains: Sequence[str]) -> Panel:
    rows = []
    for domain, values in zip(domains, spill, strict=True):
        if not np.isfinite(values).any():
            continue
        others = [v for d, v in zip(domains, values, strict=True) if d != domain and not math.isnan(v)]
        mean = points_text(-sum(others) / len(others)) if others else "–"
        rows.append((domain, *("–" if math.isnan(v) else points_text(-v) for v in values), mean))
    note = "Change of refusals of harmful requests against the base, in points; mean of the training seeds."
    return Panel(f"Refusals after unlearning: {method}", ("unlearned", *domains, "others, mean"), tuple(rows), note)


def _told(found: Association) -> tuple[str, ...]:
    if math.isnan(found.correlation):
        return "–", "–", str(found.cells), str(found.things)
    limits = found.interval
    span = "" if math.isnan(limits.lower) else f" [{limits.lower:.2f}, {limits.upper:.2f}]"
    return f"{found.correlation:.2f}{span}", f"{found.p:.3f}", str(found.cells), str(found.things)


def _figure(likeness: Mapping[str, Any], spills: Mapping[str, Table], domains: Sequence[str]) -> PlotFigure:
    maps = [(f"layer {layer}: cosine", np.asarray(v, float), 1.0) for layer, v in shown_layers(likeness).items()]
    maps += [(f"{method}: fall, points", 100 * spill, 100.0) for method, spill in spills.items()]
    columns = min(3, len(maps))
    lines = math.ceil(len(maps) / columns)
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 2.5 * lines + 0.3), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False)
        for axes in grid.flat[len(maps) :]:
            axes.set_visible(False)
        for axes, (title, table, most) in zip(grid.flat, maps, strict=False):
            axes.imshow(table, cmap="PuOr", vmin=-most, vmax=most)
            axes.set_title(title, fontsize=8)
            axes.set_xticks(range(len(domains)), domains, rotation=90, fontsize=6)
            axes.set_yticks(range(len(domains)), domains, fontsize=6)
            for i, row in enumerate(table):
                for j, value in enumerate(row):
                    if not math.isnan(value):
                        text = f"{value:.2f}" if most == 1 else f"{value:.0f}"
                        dark = abs(value) > 0.6 * most
                        axes.text(j, i, text, ha="center", va="center", fontsize=5, color="white" if dark else "black")
    return figure


def shown_layers(likeness: Mapping[str, Any], most: int = 4) -> dict[str, Any]:
    """Of many layers a few, evenly spaced, with the first and the last."""
    names = list(likeness)
    if len(names) <= most:
        return dict(likeness)
    places = sorted({round(i * (len(names) - 1) / (most - 1)) for i in range(most)})
    return {names[i]: likeness[names[i]] for i in places}
