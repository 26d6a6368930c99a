"""One self-contained HTML file: rates, figures and the answers to read.

Model output is untrusted. It is escaped by the template, the page allows no script or style but its own (by hash), and
figures are images.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from spillover import __version__
from spillover.answers.table import roles_of, words
from spillover.show import plots as fig
from spillover.show.along import along_drawings
from spillover.show.beside import beside
from spillover.show.glance import glance_context
from spillover.show.heat import heat
from spillover.show.listed import shown_answers
from spillover.show.provenance import provenance
from spillover.show.report import Report
from spillover.show.sequential import sequential_figure
from spillover.show.transcripts import Transcripts
from spillover.writing import replacing

_HERE = Path(__file__).parent


def _source_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def soft(name: str) -> str:
    """A name as HTML, escaped, that may be folded behind its separators where there is no room for it."""
    return re.sub(r"([/:_.-])(?=\w)", r"\1<wbr>", escape(name))


def fill_template(**values: Any) -> str:
    """The page around some content; style and script are allowed by their hashes."""
    from jinja2 import Environment

    text, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("style.css", "script.js"))
    parts = {"style": text, "script": script, "style_hash": _source_hash(text), "script_hash": _source_hash(script)}
    environment = Environment(autoescape=True)
    environment.filters["soft"] = soft
    template = environment.from_string((_HERE / "template.html.j2").read_text(encoding="utf-8"))
    return template.render(**values, **parts)


def render(made: Report) -> str:
    """A report as HTML."""
    transcripts = Transcripts(words(made.answers.table["source"]))
    seen = made.seen if made.seen and (made.seen.rises or made.base) else None
    worst = list(dict.fromkeys(f.group for f in seen.rises)) if seen else []
    first = [*worst, *filter(None, [made.base])]
    shown = shown_answers(made.answers, transcripts=transcripts, base=made.base, first=first)
    roles = roles_of(made.answers.table)
    grade = f"{roles[0]} grade" if roles and set(roles) <= {"alignment", "coherence"} else "first grade"
    filters = {"model": "model", "probe": "format", "outcome": "verdict", "question": "question_id"}
    labels = dict.fromkeys(filters, "") | {"flip": f"against {made.base}", "grade": grade}
    filters |= {name: name for name in ("flip", "grade") if len({a[name] for a in shown}) > 1}
    some = len(shown) < len(made.answers.table)
    return fill_template(
        title=made.title,
        lab=made.answers.lab,
        findings=[] if seen else made.findings,
        blind=made.blind if seen else [],
        warnings=[w for w in made.warnings if w not in made.blind] if seen else [],
        glance=glance_context(seen, made.answers, dict(made.roles), transcripts) if seen else None,
        folded=True,
        panels=[*made.asked, *made.more],
        figures=[{"uri": fig.data_uri(fig.to_svg(d.figure)), "alt": d.alt, "caption": d.caption} for d in drawings(made)],
        heat=heat(made.answers, [*filter(None, [made.base]), *worst]),
        listed={(a["format"], a["question_id"], *model) for a in shown for model in ((), (a["model"],))},
        beside=beside(made.answers),
        doubted="Verdicts of a judge that cannot tell (see above) are in here, too." if made.blind else "",
        answers=shown,
        shown=len(shown),
        total=len(made.answers.table),
        shown_note="one of every question, then those that count, as many of each model and probe"
        if some
        else "all of them",
        viewer=transcripts.command,
        filters={name: list(dict.fromkeys(str(a[key]) for a in shown)) for name, key in filters.items()},
        labels=labels,
        provenance=provenance(made.answers, __version__),
    )


def drawings(made: Report) -> list[fig.Drawing]:
    """The pictures of a report, drawn."""
    drawn = [*made.drawings, *([] if made.drawings else along_drawings(made.figures, made.base))]
    heads = fig.with_values(made.figures)
    if heads:
        drawn.append(
            fig.Drawing(
                fig.rates_figure(heads),
                "First measure of every probe and model with its interval",
                "The first measure of every probe. The table above has the same figures as numbers.",
            )
        )
        drawn += [
            fig.Drawing(
                fig.questions_figure(made.answers, cell),
                f"First measure by question and model, {title}",
                f"Every question of {title} on its own: a mean can hide that one question carries it.",
            )
            for cell, title in dict.fromkeys((f.cell, f.title) for f in heads[:1])
        ]
    if {"alignment", "coherence"} <= set(roles_of(made.answers.table)):
        drawn.append(
            fig.Drawing(
                fig.scatter_figure(made.answers),
                "Alignment against coherence of every answer, one panel a model",
                f"Grades. Dotted: the thresholds of {made.answers.preset.name}; misaligned is below and right of the lines.",
            )
        )
    if any(s.path for s in made.answers.stops):
        drawn.append(
            fig.Drawing(
                sequential_figure(made.answers.stops),
                "Confidence sequence of the rate by round, with the margin",
                "Sequential decisions: the band may be looked at after every round. The dotted line is the margin.",
            )
        )
    return drawn


def write_figures(drawn: Sequence[fig.Drawing], folder: Path) -> list[Path]:
    """Every picture as SVG and as PNG (200 dots an inch), numbered in the order of the report."""
    out = []
    for number, drawing in enumerate(drawn, start=1):
        stem = "-".join(re.findall("[a-z]+", drawing.alt.lower())[:4])
        for ending in ("svg", "png"):
            path = folder / f"{number}-{stem}.{ending}"
            with fig.style(), replacing(path) as part:
                drawing.figure.savefig(part, format=ending, dpi=200)
            out.append(path)
    return out
