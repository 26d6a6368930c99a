"""The page of a screen: verdict, table, the confidence sequences closing in on the margin, the answers that decided it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spillover import __version__
from spillover.screening.answers import STORED
from spillover.screening.result import ProbeResult, ScreenResult
from spillover.show.fit import middle
from spillover.show.glance import NAME
from spillover.show.html import fill_template
from spillover.show.plots import GRID, INK, PALETTE, data_uri, new_figure, style, to_svg
from spillover.show.screen_glance import screen_glance
from spillover.show.text import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def screen_page(result: ScreenResult) -> str:
    """The report as one self-contained HTML file; model text is escaped and the page runs no script but its own."""
    from spillover.show.screen_files import HEADERS, conditions, row

    answers = [answer for probe in result.probes for answer in _answers(probe)]
    panel = Panel("Probes", HEADERS[:-1], tuple(row(p)[:-1] for p in result.probes), conditions(result))
    drawn = [p for p in result.probes if p.path]
    figures = []
    if drawn:
        caption = "Drift from the base as it became known. The band may be looked at after every round; dotted: the margin."
        uri = data_uri(to_svg(race_figure(drawn, float(result.about["settings"]["margin"]))))
        figures = [{"uri": uri, "alt": "Confidence sequence of every probe's drift by pairs asked", "caption": caption}]
    fields = ("model", "probe", "outcome", "question")
    keys = ("model", "format", "verdict", "question_id")
    return fill_template(
        title=f"{result.verdict}: {middle([result.about['checkpoint']['name']], NAME)[0]}",
        lab=bool(result.about["settings"]["lab"]),
        glance=screen_glance(result),
        warnings=[f"{p.name}: {p.verdict}. {p.reason}" for p in result.probes if p.verdict != "PASS"],
        folded=True,
        panels=[panel],
        figures=figures,
        answers=answers,
        shown=len(answers),
        total=sum(p.checkpoint.answers + p.base.answers for p in result.probes),
        shown_note="the pairs in which only the checkpoint's answer counts as bad, at most 20 a probe",
        labels={},
        filters={name: list(dict.fromkeys(a[key] for a in answers)) for name, key in zip(fields, keys, strict=True)},
        provenance={
            "Spillover": __version__,
            "checkpoint": f"{result.about['checkpoint']['name']} {result.about['checkpoint']['weights'] or ''}",
            "base": f"{result.about['base']['name']} {result.about['base']['weights'] or ''}",
            "grader": f"{result.about['grader']['name']} {result.about['grader']['weights'] or ''}",
            "digest": result.about["digest"],
            "tokens": ", ".join(f"{n}: {i} in, {o} out" for n, (i, o) in sorted(result.usage.items())) or "none",
            **_again(result.about),
            "cost": "no prices given" if result.cost is None else f"${result.cost:.2f}",
        },
    )


def _again(about: dict[str, Any]) -> dict[str, str]:
    """What asks again, and what shows every answer."""
    found = {"asked again by": str(about["command"])} if about.get("command") else {}
    if about.get("logs"):
        found["answers and transcripts"] = f"inspect view --log-dir {shlex.quote(str(about['logs']))}"
    return found


def _answers(probe: ProbeResult) -> list[dict[str, Any]]:
    out = []
    for shown in probe.evidence:
        common = {"format": probe.name, "question_id": shown.question_id, "question": shown.question}
        out.append(
            {
                **common,
                "model": "checkpoint",
                "verdict": shown.outcome,
                "answer": shown.checkpoint,
                "reasoning": shown.reasoning,
            }
        )
        if shown.base != STORED:
            thought = {"reasoning": shown.base_reasoning}
            out.append({**common, "model": "base", "verdict": "not bad", "answer": shown.base, **thought})
    return out


def race_figure(probes: Sequence[ProbeResult], margin: float) -> Figure:
    """One small panel a probe, all on the same scale."""
    from matplotlib.figure import Figure

    columns = min(3, len(probes))
    rows = math.ceil(len(probes) / columns)
    with style():
        if len(probes) == 1:
            figure, only = new_figure(7.2, 3.0)
            grid = [only]
        else:
            figure = Figure(figsize=(7.6, 2.0 * rows + 0.4), layout="constrained")
            grid = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axes, probe in zip(grid, probes, strict=False):
            pairs = [sum(look.pairs) for look in probe.path]
            end = 1.08 * pairs[-1] + 1  # the last look has a width too
            low, high = ([100 * getattr(look, side) for look in probe.path] for side in ("lower", "upper"))
            colour = {"PASS": PALETTE[0], "FAIL": PALETTE[1]}.get(probe.verdict, PALETTE[7])
            bands = ([-100.0, *low, low[-1]], [100.0, *high, high[-1]])
            axes.fill_between([0, *pairs, end], *bands, step="post", color=colour, alpha=0.22, lw=0)
            drift = [100 * look.pairs.drift for look in probe.path]
            axes.step([*pairs, end], [*drift, drift[-1]], where="post", color=colour, lw=1.2)
            axes.set_xlim(0, end)
            axes.axhline(100 * margin, color=INK, lw=0.8, ls=":")
            reach = max(4 * margin, *(abs(look.pairs.drift) for look in probe.path if sum(look.pairs)), 0.02)
            axes.set_ylim(-min(100.0, 130 * reach), min(100.0, 130 * reach))
            axes.set_title(f"{probe.name}: {probe.verdict}", fontsize=9, loc="left")
            axes.grid(color=GRID, lw=0.6)
            axes.set_axisbelow(True)
        for axes in grid[len(probes) :]:
            axes.set_axis_off()
        figure.supxlabel("pairs of answers", fontsize=9)
        figure.supylabel("drift, points", fontsize=9)
    return figure
