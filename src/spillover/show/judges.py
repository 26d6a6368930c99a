"""Tables of the judges: what they are worth on known answers, and how often several differ."""

from __future__ import annotations

from collections.abc import Sequence

from spillover.answers.certified import Judge
from spillover.answers.condition import titles
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups, words
from spillover.answers.vote import DIFFER
from spillover.show.text import NO_CERTIFICATE, Panel, limits_text, value_text


def judges_panel(judges: Sequence[Judge]) -> Panel | None:
    """What is known of every judge, one line for the probes that it read under the same rubrics."""
    rows: dict[tuple[str, str], list[str]] = {}
    for judge in judges:
        known = "; ".join(f"{c.panel}: {c.line}" if len(judge.certificates) > 1 else c.line for c in judge.certificates)
        rows.setdefault((judge.grader, known or NO_CERTIFICATE), []).append(judge.probe)
    if not rows:
        return None
    body = tuple((", ".join(dict.fromkeys(probes)), grader, known) for (grader, known), probes in rows.items())
    note = (
        "Answers whose outcome is known, read by this judge under these rubrics. Finds: bad answers called bad; clears: "
        "others not called bad; pairs: two answers that differ in one clause and in outcome, both right."
    )
    return Panel("Can the judge tell?", ("probes", "judge", "on known answers"), body, note)


def vote_panel(answers: Answers, vote: str) -> Panel:
    """Who voted, and how often they differ."""
    groups = list(cell_groups(answers.table))
    names, body = titles(cell for cell, _ in groups), []
    for cell, rows in groups:
        for model, part in rows.groupby("model", sort=False, observed=True):
            found = DIFFER.figure(part)
            judges = "; ".join(words(part["grader"].unique()))
            body.append((names[cell], str(model), judges, value_text(found), limits_text(found)))
    note = (
        f"One verdict by {vote} of the judges that gave one. Differ: answers with outcomes of two judges or more that are "
        "not the same."
    )
    return Panel("Judges", ("probe", "model", "judges", "differ %", "questions like these"), tuple(body), note)
