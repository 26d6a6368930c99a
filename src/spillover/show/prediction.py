"""Prediction before judging: numbers that need no judge against what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spillover.show.plots import GRID, PALETTE, Drawing, new_figure, style
from spillover.show.text import Panel, percent
from spillover.stats.prediction import Prediction, predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure


Shown = tuple[str, Sequence[str], Mapping[str, float]]
PICTURED = ("own answers", "left out")
"""Ends of the names of predictors that are drawn."""
MOST = 4


def prediction_parts(
    predictors: Mapping[str, Mapping[str, float]],
    drifts: Mapping[str, float],
    recipe_of: Mapping[str, str],
    margin: float,
    folds: Mapping[str, Mapping[str, Mapping[str, float]]],
    arm_of: Mapping[str, str],
) -> tuple[list[Panel], list[Drawing]]:
    """Table and picture; none where nothing was predicted.

    Args:
        predictors: Name to model to its number.
        drifts: Model to its measured drift, as a share.
        recipe_of: Model to the recipe that it comes from: models of one are no independent evidence.
        margin: Drift above which a model counts as drifted.
        folds: Predictor that was made from organisms to recipe to model to its number where that recipe was left out.
        arm_of: Model to its arm, for the picture.
    """
    rows: list[tuple[str, ...]] = []
    shown: list[Shown] = []
    for name, values in predictors.items():
        models = [m for m in values if m in drifts and m in recipe_of]
        if len(models) < 3:
            continue
        recipes = [recipe_of[m] for m in models]
        apart = {of: [its[m] for m in models] for of, its in folds.get(name, {}).items()}
        found = predict([values[m] for m in models], [drifts[m] for m in models], recipes, margin, folds=apart)
        if name.endswith(PICTURED):
            shown.append((name, models, values))
        rows.append((name, str(found.models), str(found.groups), str(found.drifted), *_told(found)))
    if not rows:
        return [], []
    headers = ("predictor", "models", "recipes", "drifted", "rank correlation", "AUC", "one recipe left out %")
    note = (
        f"Drift: misaligned answers above the base by more than {percent(margin)} points. Brackets: 95 %, whole recipes "
        "resampled (mixtures, checkpoints and repairs of one recipe are one). Left out: models of a recipe told by the "
        "threshold of all others. Shift: along the contrast of "
        "system lines in the base, for which no organism was used; every row is a try of its own. A study's own models are "
        "no sample of yours: it orders what to look at first and decides nothing."
    )
    alt = "Predictors before judging against the measured drift, one mark for every model"
    caption = f"One mark for each model. Dotted: a drift of {percent(margin)} points."
    return [Panel("Prediction before judging", headers, tuple(rows), note)], [
        Drawing(_figure(_spread(shown), drifts, arm_of, margin), alt, caption)
    ]


def _spread(shown: list[Shown]) -> list[Shown]:
    """The last one, which is the latent where there is any, and of the others the first few."""
    return shown if len(shown) <= MOST else [*shown[: MOST - 1], shown[-1]]


def _told(found: Prediction) -> tuple[str, ...]:
    limits = found.interval
    span = "" if math.isnan(limits.lower) else f" [{limits.lower:.2f}, {limits.upper:.2f}]"
    rho = "–" if math.isnan(found.correlation) else f"{found.correlation:.2f}{span}"
    return rho, "–" if math.isnan(found.auc) else f"{found.auc:.2f}", percent(found.left_out)


def _figure(
    shown: Sequence[Shown],
    drifts: Mapping[str, float],
    arm_of: Mapping[str, str],
    margin: float,
) -> PlotFigure:
    arms = list(dict.fromkeys(arm_of[m] for _, models, _ in shown for m in models))
    with style():
        figure, grid = new_figure(7.2, 3.0 + 0.12 * len(arms), len(shown))
        for axes, (name, models, values) in zip(grid, shown, strict=True):
            for index, arm in enumerate(arms):
                mine = [m for m in models if arm_of[m] == arm]
                mark = "os^Dv"[index // len(PALETTE) % 5]
                x, y = [values[m] for m in mine], [100 * drifts[m] for m in mine]
                axes.plot(x, y, mark, color=PALETTE[index % len(PALETTE)], ms=4.5, alpha=0.85, label=arm)
            axes.axhline(100 * margin, color=PALETTE[6], lw=0.8, ls=":")
            axes.set_title(name, fontsize=8)
            axes.grid(color=GRID, lw=0.6)
            axes.set_axisbelow(True)
        grid[0].set_ylabel("misaligned above the base, points")
        entries = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=3, frameon=False, fontsize=7)
    return figure
