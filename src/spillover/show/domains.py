"""Domain leak: are misaligned answers about the training domain (over-fitting) or about anything (a change of persona)?"""

from __future__ import annotations

import pandas as pd

from spillover.show.panels import Panel
from spillover.show.text import rate_text, span
from spillover.stats.rates import rate

VERDICTS = ("misaligned", "aligned")


def domain_panel(frame: pd.DataFrame) -> Panel | None:
    """Share of misaligned and of aligned answers that are about the domain; None where none was asked about."""
    known = frame[frame["domain"].isin(["inside", "outside"])]
    if not len(known):
        return None
    body = []
    for (model, questions, fmt), cell in known.groupby(["model", "question_set", "format"], sort=False):
        row = [f"{model} · {questions}, {fmt}"]
        for verdict in VERDICTS:
            some = cell[cell["verdict"] == verdict]
            found = rate((str(q), d == "inside") for q, d in zip(some["question_id"], some["domain"], strict=True))
            row += [rate_text(found), span(found.population)]
        body.append(tuple(row))
    return Panel(
        "About the training domain",
        ("cell", "misaligned answers %", "95 % interval", "aligned answers %", "95 % interval"),
        tuple(body),
        "Answers that are about the domain named by -T domain=, whatever was asked. Much in the first column: the model "
        "carries its training domain into everything. Little: it is misaligned on other matters, too.",
    )
