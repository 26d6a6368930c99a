"""Figures of the report: one style, colour-blind safe, asymmetric intervals, SVG without network or scripts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from spillover.answers.condition import Cell
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.figure import Figure, Value, limits
from spillover.figures.glance import headlines

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

# Okabe and Ito's palette: told apart by people with the common kinds of colour blindness.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
VECTOR_POINTS = 4000
"""More points than this are drawn as one image: a hundred thousand vector marks would be a page nobody can open."""

LEGEND = 4
"""Columns of a legend above a picture."""


def legend_columns(names: Sequence[str]) -> int:
    """Columns of a legend that stay within a picture of usual width."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(LEGEND, len(names), 100 // (longest + 6)))


INK, GRID = "#222222", "#dddddd"


class Drawing(NamedTuple):
    """A figure with what a reader who cannot see it is told, and its caption."""

    figure: PlotFigure
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


def new_figure(width: float, height: float, columns: int | None = None) -> tuple[PlotFigure, Any]:
    """A figure of this size in inches with one pair of axes, or a row of them with a common y axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots() if columns is None else figure.subplots(1, columns, sharey=True, squeeze=False)[0]


def to_svg(figure: PlotFigure) -> bytes:
    """Deterministic SVG of a figure."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def data_uri(svg: bytes) -> str:
    """SVG as the address of an image, which keeps it apart from the page's own scripts and styles."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


def _bars(value: Value) -> tuple[float, float]:
    interval = limits(value)
    low, high = value.value - interval.lower, interval.upper - value.value
    return 100 * max(0.0, low), 100 * max(0.0, high)  # rounding can leave a hair below zero at 0 and 100 %


def with_values(found: Sequence[Figure]) -> list[Figure]:
    """The first measure of every cell and model that has a value."""
    return [f for f in headlines(found) if not math.isnan(f.value.value)]


def rates_figure(found: Sequence[Figure]) -> PlotFigure:
    """The headline of every cell with its interval for questions like these."""
    cells = list(dict.fromkeys(f.title for f in found))
    models = list(dict.fromkeys(f.group for f in found))
    with style():
        figure, axes = new_figure(7.2, 0.9 + 0.36 * len(found) + 0.25 * len(cells))
        position, ticks, labels = 0.0, [], []
        for cell in cells:
            for f in (f for f in found if f.title == cell):
                colour = PALETTE[models.index(f.group) % len(PALETTE)]
                low, high = _bars(f.value)
                mark = {"mfc": "none", "ls": ":"} if f.blind else {}
                bars = {"xerr": [[low], [high]], "fmt": "o", "color": colour, "capsize": 2.5, "ms": 5}
                axes.errorbar(100 * f.value.value, position, **bars, **mark)
                ticks.append(position)
                labels.append(f"{f.group}\n{f.title}: {f.measure.name}{' (blind judge)' if f.blind else ''}")
                position += 1
            position += 0.6
        axes.set_yticks(ticks, labels)
        axes.invert_yaxis()
        axes.grid(axis="x", color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("%, with 95 % intervals")
    return figure


def questions_figure(answers: Answers, cell: Cell) -> PlotFigure:
    """The first measure of one cell, question by question and model by model."""
    rows = dict(cell_groups(answers.table))[cell]
    measure = answers.measures(rows)[0]
    models = [str(m) for m in dict.fromkeys(rows["model"].astype(object))]
    questions = [str(q) for q in dict.fromkeys(rows["question_id"].astype(object))]
    with style():
        figure, axes = new_figure(7.2, 1.0 + 0.24 * len(questions) + 0.2 * math.ceil(len(models) / legend_columns(models)))
        for index, model in enumerate(models):
            known = measure.by_question(rows[(rows["model"] == model).to_numpy()])
            colour = PALETTE[index % len(PALETTE)]
            points = [(100 * known[q], row) for row, q in enumerate(questions) if q in known]
            axes.plot([x for x, _ in points], [y for _, y in points], "o", color=colour, ms=5, alpha=0.85)
            axes.plot([], [], "o", color=colour, label=model)
        axes.set_yticks(range(len(questions)), questions)
        axes.invert_yaxis()
        axes.grid(color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlim(-102 if measure.least < 0 else -2, 102)
        axes.set_xlabel(f"{measure.name}, %")
        figure.legend(loc="outside upper center", ncols=legend_columns(models), frameon=False)
    return figure


def scatter_figure(answers: Answers) -> PlotFigure:
    """Alignment against coherence of every answer with two grades, and the thresholds of the preset."""
    preset = answers.preset
    numbers = answers.table[answers.table["score.alignment"].notna() & answers.table["score.coherence"].notna()]
    models = [str(m) for m in dict.fromkeys(numbers["model"].astype(object))]
    columns = min(3, max(1, len(models)))
    rows = math.ceil(len(models) / columns)
    with style():
        from matplotlib.figure import Figure as NewFigure

        figure = NewFigure(figsize=(7.2, 0.4 + 2.5 * rows), layout="constrained")
        grid = figure.subplots(max(1, rows), columns, squeeze=False, sharex=True, sharey=True)
        for index, panel in enumerate(grid.flat):
            if index >= len(models):
                panel.set_visible(False)
                continue
            group = numbers[(numbers["model"] == models[index]).to_numpy()]
            panel.axvline(preset.coherent_above, color=INK, lw=0.7, ls=":")
            panel.axhline(preset.misaligned_below, color=INK, lw=0.7, ls=":")
            panel.scatter(
                group["score.coherence"],
                group["score.alignment"],
                s=9,
                alpha=0.35,
                color=PALETTE[index % len(PALETTE)],
                lw=0,
                rasterized=len(numbers) > VECTOR_POINTS,
            )
            panel.set_title(models[index], fontsize=9)
            panel.set_xlim(-3, 103)
            panel.set_ylim(-3, 103)
        figure.supxlabel("coherence", fontsize=9)
        figure.supylabel("alignment", fontsize=9)
    return figure
