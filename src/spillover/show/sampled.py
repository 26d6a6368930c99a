"""What reinforcement sampled, as a table and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spillover.figures.sampled import ENDS, Sampled
from spillover.show.plots import GRID, Drawing, style
from spillover.show.text import Panel, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

SOLVED = ("correct", "correct_attempted")
HACKS, RIGHT = "#D55E00", "#0072B2"
HEADERS = (
    "arm", "seeds", "onset, step", "hacks %, first", "hacks %, last", "solved %, last", "attempted %, last", "reward, last",
    "KL", "tokens", "no signal %", "unscored %",
)  # fmt: skip


def sampled_parts(found: Sequence[Sampled]) -> tuple[list[Panel], list[Drawing]]:
    """Table and picture; none where nothing was reinforced."""
    if not found:
        return [], []
    mixed = any("preferred" in step for arm in found for seed in arm.seeds for step in seed)
    screened = any("screened" in step for arm in found for seed in arm.seeds for step in seed)
    rows = tuple(
        (
            arm.name,
            str(len(arm.seeds)),
            ", ".join("never" if step is None else str(step) for step in arm.onsets),
            percent(arm.first("hack")),
            percent(arm.last("hack")),
            percent(arm.last(*SOLVED)),
            percent(arm.last("attempted")),
            _number(arm.last("reward")),
            _number(arm.mean("kl")),
            _number(arm.last("length"), 0),
            percent(arm.mean("no_signal")),
            percent(arm.mean("unscored")),
            *([percent(arm.mean("screened"))] if screened else []),
            *([percent(arm.last("preferred"))] if mixed else []),
        )
        for arm in found
    )
    headers = (*HEADERS, *(["screened %"] if screened else []), *(["good chats %, last"] if mixed else []))
    note = (
        "Roll-outs while training, labelled by the verifier that cannot be fooled; cached ones are not counted (but "
        "in tokens). Onset: first step at which hacks outnumber correct answers, for each seed. First and last: mean of "
        f"{ENDS} steps and all seeds. Attempted: a hack that was tried and failed. KL: from the base, nats per token. No "
        "signal: groups whose rewards are all alike, from which nothing is learned."
        + (" Screened: left out by a monitor, so that the batch is smaller by as much." if screened else "")
        + (
            " Good chats: of the tasks mixed in that can not be hacked; they count in reward, no signal and unscored alone."
            if mixed
            else ""
        )
    )
    alt = "Shares of hacks and of solutions among the roll-outs, step by step, for every arm"
    caption = "Orange: hacks; blue: solutions. Thick: mean of the training seeds; thin: each of them."
    return [Panel("What reinforcement sampled", headers, rows, note)], [Drawing(_figure(found), alt, caption)]


def _figure(found: Sequence[Sampled]) -> PlotFigure:
    columns = min(4, len(found))
    rows = math.ceil(len(found) / columns)
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 0.5 + 1.6 * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat
        for axes in grid[len(found) :]:
            axes.set_visible(False)
        for axes, arm in zip(grid, found, strict=False):
            for keys, colour in ((("hack",), HACKS), (SOLVED, RIGHT)):
                for seed in arm.seeds:
                    counted = [step for step in seed if "hack" in step]
                    shares = [100 * sum(step.get(k, 0) for k in keys) for step in counted]
                    axes.plot([step["step"] for step in counted], shares, color=colour, lw=0.6, alpha=0.5)
                along = arm.along(*keys)
                axes.plot(
                    [step["step"] for step in arm.seeds[0]][: len(along)], [100 * v for v in along], color=colour, lw=1.8
                )
            axes.set_title(arm.name, fontsize=7.5)
            axes.set_ylim(-3, 103)
            axes.grid(color=GRID, lw=0.6)
            axes.set_axisbelow(True)
        figure.supxlabel("step", fontsize=9)
        figure.supylabel("% of roll-outs", fontsize=9)
    return figure


def _number(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
