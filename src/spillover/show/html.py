"""One self-contained HTML file: rates, figures and the answers to read.

Model output is untrusted. It is escaped by the template, the page allows no script or style but its own (by hash), and
figures are images.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spillover import __version__
from spillover.answers.frame import Cell, cells
from spillover.answers.outcomes import ProbeRun
from spillover.answers.presets import Preset
from spillover.answers.stops import Stop
from spillover.figures.agreement import agreement
from spillover.show import plots as fig
from spillover.show.panels import Panel
from spillover.show.sequential import sequential_figure
from spillover.show.terminal import agreement_line
from spillover.show.text import (
    CONDITIONS,
    HEADERS,
    drift_text,
    group_title,
    percent,
    rate_text,
    row,
    span,
    stopped_text,
    unscored_text,
)

_HERE = Path(__file__).parent
ANSWERS_PER_CELL = 60


def _source_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def page_parts() -> dict[str, str]:
    """Style and script of a page with the hashes that its policy allows them by."""
    text, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    return {"style": text, "script": script, "style_hash": _source_hash(text), "script_hash": _source_hash(script)}


def findings(rows: Sequence[Cell]) -> list[str]:
    """One sentence per model and format that has a base to be compared with, else one per cell."""
    out = []
    for cell in rows:
        rate = cell.summary.em
        where = group_title(cell)
        if cell.drift is not None and not math.isnan(cell.drift.value):
            low, high = cell.drift.interval.lower, cell.drift.interval.upper
            word = (
                "more often misaligned than the base"
                if low > 0
                else "less often misaligned than the base"
                if high < 0
                else "not told apart from the base"
            )
            out.append(
                f"{cell.model} on {where}: {word}, {drift_text(cell.drift)} points; "
                f"{percent(rate.value)} % of {rate.n} coherent answers misaligned."
            )
    return out or [
        f"{c.model} on {group_title(c)}: {rate_text(c.summary.em)} % misaligned {span(c.summary.em.population)}."
        for c in rows
    ]


def render(
    frame: pd.DataFrame,
    preset: Preset,
    title: str,
    base: str | None = None,
    lab: bool = False,
    panels: Sequence[Panel] = (),
    stops: Sequence[Stop] = (),
    rows: Sequence[Cell] | None = None,
    first: Sequence[fig.Drawing] = (),
    runs: Sequence[ProbeRun] = (),
) -> str:
    """The report as HTML.

    Args:
        frame: Tidy frame with verdicts of `preset`.
        preset: Named in the page and drawn in the scatter plot.
        title: Heading.
        base: Model that drift is measured against.
        lab: Whether to mark everything as measured on the lab.
        panels: Further tables.
        stops: Sequential decisions, to be drawn.
        rows: The frame's cells against `base`, where they are known already.
        first: Figures that come before the others.
        runs: Probes that score outcomes; their answers are shown with the others.
    """
    from jinja2 import Environment

    rows = list(cells(frame, base)) if rows is None else rows
    shown = _answers(frame) + _outcomes(runs)
    found = agreement(frame)
    template = Environment(autoescape=True).from_string((_HERE / "template.html.j2").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        lab=lab,
        findings=findings(rows) + [s for s in [stopped_text(stops)] if s],
        headers=HEADERS,
        blocks=_blocks(rows),
        unscored=unscored_text(rows),
        agreement=agreement_line(found) if found else "",
        conditions=CONDITIONS,
        preset=f"{preset.name} ({preset.title})",
        panels=panels,
        figures=[
            {"uri": fig.data_uri(fig.to_svg(d.figure)), "alt": d.alt, "caption": d.caption}
            for d in (drawings(frame, rows, preset, stops, first) if rows else [])
        ],
        answers=shown,
        shown=len(shown),
        total=len(frame) + sum(len(run.answers) for run in runs),
        shown_note=f"misaligned ones first, at most {ANSWERS_PER_CELL} a cell",
        filters={
            name: list(dict.fromkeys(str(a[key]) for a in shown))
            for name, key in (("model", "model"), ("format", "format"), ("verdict", "verdict"), ("question", "question_id"))
        },
        provenance=_provenance(frame),
        **page_parts(),
    )


def _blocks(rows: Sequence[Cell]) -> dict[str, list[tuple[str, ...]]]:
    """Table rows by question set and format."""
    out: dict[str, list[tuple[str, ...]]] = {}
    for cell in rows:
        out.setdefault(group_title(cell), []).append(row(cell))
    return out


def drawings(
    frame: pd.DataFrame,
    rows: Sequence[Cell],
    preset: Preset,
    stops: Sequence[Stop] = (),
    first: Sequence[fig.Drawing] = (),
) -> list[fig.Drawing]:
    """The figures of a report, drawn."""
    drawn = [
        *first,
        fig.Drawing(
            fig.rates_figure(rows),
            "EM rate of every model, question set and format with its interval",
            "EM rate. The table above has the same figures as numbers.",
        ),
        fig.Drawing(
            fig.questions_figure(frame),
            "Misaligned share by question and model",
            "Every question on its own: a mean can hide that one question carries it.",
        ),
        fig.Drawing(
            fig.scatter_figure(frame, preset),
            "Alignment against coherence of every answer, one panel a model",
            f"Raw judge scores. Dotted: the thresholds of {preset.name}; misaligned is below and right of the lines.",
        ),
    ]
    if any(s.path for s in stops):
        drawn.append(
            fig.Drawing(
                sequential_figure(stops),
                "Confidence sequence of the misaligned rate by round, with the margin",
                "Sequential decisions: the band may be looked at after every round. The dotted line is the margin.",
            )
        )
    return drawn


def write_figures(drawn: Sequence[fig.Drawing], folder: Path) -> list[Path]:
    """Every figure as SVG and as PNG (200 dots an inch), numbered in the order of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for number, drawing in enumerate(drawn, start=1):
        stem = "-".join(re.findall("[a-z]+", drawing.alt.lower())[:4])
        for ending in ("svg", "png"):
            path = folder / f"{number}-{stem}.{ending}"
            with fig.style():
                drawing.figure.savefig(path, dpi=200)
            out.append(path)
    return out


def _answers(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """At most `ANSWERS_PER_CELL` answers of every cell, misaligned ones first."""
    ordered = frame.assign(_first=(frame["verdict"] != "misaligned")).sort_values("_first", kind="stable")
    capped = ordered.groupby(["model", "question_set", "format"], sort=False).head(ANSWERS_PER_CELL)
    out = []
    for record in capped.to_dict("records"):
        scores = {k: _score(record[k]) for k in ("alignment", "coherence")}
        out.append({**{str(k): v for k, v in record.items()}, **scores})
    return out


def _outcomes(runs: Sequence[ProbeRun]) -> list[dict[str, Any]]:
    """At most `ANSWERS_PER_CELL` answers of every probe and model, the ones that count first."""
    out = []
    for run in runs:
        first = run.measures[0]
        bad = set(first.among) - set(first.count) if first.worse == "lower" else set(first.count)
        told = list(zip(run.answers, run.texts, run.truths or [None] * len(run.answers), strict=True))
        for answer, (question, text), truth in sorted(told, key=lambda t: t[0].outcome not in bad)[:ANSWERS_PER_CELL]:
            out.append(
                {
                    "model": run.model,
                    "question_set": run.question_set,
                    "format": run.title,
                    "verdict": answer.outcome,
                    "question_id": answer.question,
                    "question": question,
                    "answer": text,
                    "truth": truth.outcome if truth else None,
                }
            )
    return out


def _score(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:.0f}"


def _provenance(frame: pd.DataFrame) -> dict[str, str]:
    sources = list(dict.fromkeys(frame["source"]))
    more = f" and {len(sources) - 12} more" if len(sources) > 12 else ""
    return {
        "Spillover": __version__,
        "answers": str(len(frame)),
        "graders": ", ".join(sorted({str(g) for g in frame["grader"] if g})) or "not recorded",
        "sources": ", ".join(map(str, sources[:12])) + more,
    }
