"""Figures of the report: one style, colour-blind safe, asymmetric intervals, SVG without network or scripts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from spillover.answers.frame import Cell
from spillover.answers.presets import Preset
from spillover.stats.rates import Rate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by people with the common kinds of colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
VECTOR_POINTS = 4000
"""More points than this are drawn as one image: a hundred thousand vector marks would be a page nobody can open."""

INK, GRID = "#222222", "#dddddd"


class Drawing(NamedTuple):
    """A figure with what a reader who cannot see it is told, and its caption."""

    figure: Figure
    alt: str
    caption: str


@contextmanager
def style() -> Iterator[Any]:
    """The one style of all figures."""
    import matplotlib as mpl

    settings = {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "svg.fonttype": "path",
        "text.parse_math": False,  # names come from outside, and a dollar sign in one is no formula
        "svg.hashsalt": "spillover",
    }
    with mpl.rc_context(settings):
        yield


def new_figure(width: float, height: float, columns: int | None = None) -> tuple[Figure, Any]:
    """A figure of this size in inches with one pair of axes, or a row of them with a common y axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots() if columns is None else figure.subplots(1, columns, sharey=True, squeeze=False)[0]


def to_svg(figure: Figure) -> bytes:
    """Deterministic SVG of a figure."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def data_uri(svg: bytes) -> str:
    """SVG as the address of an image, which keeps it apart from the page's own scripts and styles."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _bars(rate: Rate) -> tuple[float, float]:
    low, high = rate.value - rate.population.lower, rate.population.upper - rate.value
    return 100 * max(0.0, low), 100 * max(0.0, high)  # rounding can leave a hair below zero at 0 and 100 %


def rates_figure(cells: Sequence[Cell]) -> Figure:
    """EM rate of every cell with its interval for questions like these."""
    groups = list(dict.fromkeys((c.question_set, c.format) for c in cells))
    models = list(dict.fromkeys(c.model for c in cells))
    with style():
        figure, axes = new_figure(7.2, 0.9 + 0.30 * len(cells) + 0.25 * len(groups))
        position, ticks, labels = 0.0, [], []
        for group in groups:
            for cell in (c for c in cells if (c.question_set, c.format) == group):
                rate = cell.summary.em
                colour = PALETTE[models.index(cell.model) % len(PALETTE)]
                if not math.isnan(rate.value):
                    low, high = _bars(rate)
                    axes.errorbar(100 * rate.value, position, xerr=[[low], [high]], fmt="o", color=colour, capsize=2.5, ms=5)
                ticks.append(position)
                labels.append(f"{cell.model}  ·  {cell.question_set}, {cell.format}")
                position += 1
            position += 0.6
        axes.set_yticks(ticks, labels)
        axes.invert_yaxis()
        axes.set_xlim(left=-1)
        axes.grid(axis="x", color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("misaligned among coherent answers, % (bars: 95 % interval, question-clustered)")
    return figure


def questions_figure(frame: pd.DataFrame) -> Figure:
    """Misaligned share of every question and model, all formats together."""
    models = list(dict.fromkeys(frame["model"]))
    questions = list(dict.fromkeys(frame["question_id"]))
    decided = frame[frame["verdict"].isin(["aligned", "misaligned"])]
    with style():
        figure, axes = new_figure(7.2, 1.0 + 0.24 * len(questions))
        shares = (decided["verdict"] == "misaligned").groupby([decided["model"], decided["question_id"]]).mean()
        for index, model in enumerate(models):
            known = [(row, 100 * shares[model, q]) for row, q in enumerate(questions) if (model, q) in shares.index]
            colour = PALETTE[index % len(PALETTE)]
            axes.plot([share for _, share in known], [row for row, _ in known], "o", color=colour, ms=5, alpha=0.85)
        for index, model in enumerate(models):
            axes.plot([], [], "o", color=PALETTE[index % len(PALETTE)], label=model)
        axes.set_yticks(range(len(questions)), questions)
        axes.invert_yaxis()
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("misaligned among coherent answers, %")
        figure.legend(loc="outside upper center", ncols=min(4, len(models)), frameon=False)
    return figure


def scatter_figure(frame: pd.DataFrame, preset: Preset) -> Figure:
    """Alignment against coherence of every answer with two numbers, and the thresholds of the preset."""
    numbers = frame[
        [
            isinstance(a, int | float) and isinstance(c, int | float)
            for a, c in zip(frame["alignment"], frame["coherence"], strict=True)
        ]
    ]
    models = list(dict.fromkeys(frame["model"]))
    columns = min(3, max(1, len(models)))
    rows = math.ceil(len(models) / columns)
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 0.4 + 2.5 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for index, panel in enumerate(grid.flat):
            if index >= len(models):
                panel.set_visible(False)
                continue
            group = numbers[numbers["model"] == models[index]]
            panel.axvline(preset.coherent_above, color=INK, lw=0.7, ls=":")
            panel.axhline(preset.misaligned_below, color=INK, lw=0.7, ls=":")
            colour = PALETTE[index % len(PALETTE)]
            panel.scatter(
                group["coherence"].astype(float),
                group["alignment"].astype(float),
                s=9,
                alpha=0.35,
                color=colour,
                lw=0,
                rasterized=len(numbers) > VECTOR_POINTS,
            )
            panel.set_title(models[index], fontsize=9)
            panel.set_xlim(-3, 103)
            panel.set_ylim(-3, 103)
        figure.supxlabel("coherence", fontsize=9)
        figure.supylabel("alignment", fontsize=9)
    return figure
