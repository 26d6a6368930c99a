"""Latents as tables and pictures: ranked, what steering along them does, who has them, texts that show what they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spillover.figures.arms import ArmRow
from spillover.figures.latents import COHERENT, LatentRow, Steered, shares_of
from spillover.mechanism.latents import Latent
from spillover.show.arms import estimate_text
from spillover.show.plots import GRID, INK, PALETTE, Drawing, style
from spillover.show.text import Panel, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure as PlotFigure

SHOWN = 200
"""Characters of an example."""


def ranked_panel(latents: Sequence[Latent]) -> Panel:
    """Latents by their shift, each with the answer that makes it most active."""
    rows = tuple(
        (str(place), str(x.number), f"{x.base:.3f}", f"{_mean(x.organisms):.3f}", f"{x.shift:+.3f}", _example(x, 0))
        for place, x in enumerate(latents, 1)
    )
    note = "Mean activation over the tokens of each model's own answers; shift: organisms minus base."
    return Panel(
        "Latents that the organisms raise", ("rank", "latent", "base", "organisms", "shift", "most active"), rows, note
    )


def steered_panel(rows: Sequence[LatentRow]) -> Panel:
    """What steering towards and away from each latent gave."""
    body = tuple(
        (
            row.name,
            *((str(row.latent.number), f"{row.latent.shift:+.3f}") if row.latent else ("–", "–")),
            *_arm(row.up),
            *_arm(row.down),
            _controls(row),
        )
        for row in rows
    )
    headers = (
        "rank",
        "latent",
        "shift",
        "base steered up %",
        "coherent %",
        "organism steered down %",
        "coherent %",
        "controls",
    )
    note = (
        f"Misaligned answers of the strongest setting that leaves {COHERENT:.0%} of the answers coherent (in brackets "
        "strength, in lengths of the residual stream, and 95 %). Controls: the paired drift from the plain base, from the "
        "plain organism, has an interval without 0. Random: a latent that the base uses and no organism moves."
    )
    return Panel("Latents, steered", headers, body, note)


def examples_panel(latents: Sequence[Latent], most: int = 3) -> Panel:
    """Texts that make the first latents most active."""
    rows = tuple(
        (str(place), model, f"{value:.2f}", _cut(text))
        for place, latent in enumerate(latents, 1)
        for model, text, value in latent.texts[:most]
    )
    note = "Answers of base and organisms with the largest activation of the latent at any token."
    return Panel("Answers that show the latents", ("rank", "model", "activation", "answer"), rows, note)


def activity_panel(
    activity: Mapping[str, tuple[float, ...]], arms: Mapping[str, Sequence[str]], rows: Sequence[ArmRow], shown: int = 3
) -> Panel:
    """Mean activation of the first latents in every arm, beside what the arm gave."""
    given = {row.name: row for row in rows}
    body = []
    for arm, its in shares_of(activity, arms).items():
        means = [_mean([seed[i] for seed in its]) for i in range(min(shown, len(its[0])))]
        spread = f" ({min(s[0] for s in its):.3f} to {max(s[0] for s in its):.3f})" if len(its) > 1 else ""
        told = estimate_text(given[arm].best) if arm in given else "–"
        body.append((arm, str(len(its)), f"{means[0]:.3f}{spread}", *(f"{m:.3f}" for m in means[1:]), told))
    count = len(body[0]) - 3 if body else 0
    headers = ("arm", "seeds", *(f"latent {i + 1}" for i in range(count)), "misaligned %")
    note = "Mean activation over the tokens of each model's own answers (brackets: smallest and largest seed)."
    return Panel("Who has the latents", headers, tuple(body), note)


def latents_figure(rows: Sequence[LatentRow], base: ArmRow, organism: ArmRow | None) -> PlotFigure:
    """Shift of each latent, and misaligned answers when it is steered up in the base and down in the organism."""
    names = [f"{row.name} ({row.latent.number})" if row.latent else row.name for row in rows]
    places = range(len(rows))
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 1.2 + 0.3 * len(rows)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
        left.barh(places, [row.latent.shift if row.latent else 0 for row in rows], color=PALETTE[5])
        left.set_xlabel("shift of the activation")
        for colour, steered, plain, label in (
            (PALETTE[1], [r.up for r in rows], base, "base, steered up"),
            (PALETTE[0], [r.down for r in rows], organism, "organism, steered down"),
        ):
            known = [(place, s) for place, s in zip(places, steered, strict=True) if s is not None]
            if plain is None or not known:
                continue
            x = [100 * s.row.best.value for _, s in known]
            limits = [(s.row.best.interval.lower, s.row.best.interval.upper) for _, s in known]
            bars = [
                [0.0 if math.isnan(low) else max(0.0, v - 100 * low) for v, (low, _) in zip(x, limits, strict=True)],
                [0.0 if math.isnan(high) else max(0.0, 100 * high - v) for v, (_, high) in zip(x, limits, strict=True)],
            ]
            right.errorbar(x, [p for p, _ in known], xerr=bars, fmt="o", color=colour, capsize=2.5, ms=5, label=label)
            right.axvline(100 * plain.best.value, color=colour, lw=1, ls=":")
        right.set_xlabel("misaligned, % (dotted: not steered)")
        right.set_xlim(-3, 103)
        left.set_yticks(places, names)
        left.set_ylabel("latent, by rank")
        left.invert_yaxis()
        for axes in (left, right):
            axes.grid(axis="x", color=GRID, lw=0.6)
            axes.set_axisbelow(True)
            axes.axvline(0, color=INK, lw=0.6)
        if right.get_legend_handles_labels()[0]:
            figure.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def latents_drawing(rows: Sequence[LatentRow], base: ArmRow, organism: ArmRow | None) -> Drawing:
    """The figure with its words."""
    alt = "Shift of each latent under the organisms, and misaligned answers of the models that are steered along it"
    caption = (
        f"Only settings that leave {COHERENT:.0%} of the answers coherent; a latent without a mark has none. Bars: 95 %."
    )
    return Drawing(latents_figure(rows, base, organism), alt, caption)


def _arm(steered: Steered | None) -> tuple[str, str]:
    if steered is None:
        return "none coherent", ""
    return f"{estimate_text(steered.row.best)} ({steered.strength:+g})", percent(steered.row.coherent)


def _controls(row: LatentRow) -> str:
    if row.raises and row.lowers:
        return "both ways"
    return "up only" if row.raises else "down only" if row.lowers else "no"


def _example(latent: Latent, place: int) -> str:
    return _cut(latent.texts[place][1]) if len(latent.texts) > place else "–"


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN else f"{flat[: SHOWN - 1]}…"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
