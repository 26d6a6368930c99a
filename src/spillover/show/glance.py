"""The first screen of a page: the verdict in a sentence, how sure it is, why to believe it, and answers that show it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from spillover.answers.certified import Judge
from spillover.answers.read import Answers
from spillover.figures.figure import Figure
from spillover.figures.glance import SMALL, Glance, Pair, rise, shares_line
from spillover.show.fit import middle
from spillover.show.text import NO_CERTIFICATE, drift_text, limits_text, percent, suite_text, value_text
from spillover.show.transcripts import Transcripts
from spillover.sinks import visible
from spillover.stats.rates import Interval

TURNED = ", where less is worse"
"""Of a bar that shows a fall to the right, where everything worse is."""
FIRST, ROWS = 5, 12
"""Bars that are seen at once, and with those that are folded; all others are in the tables."""
KEY = (
    "Thin: 95 % for questions like these; thick: for other answers to these questions. "
    "Orange: a rise when all figures are allowed for (Holm); blue: at most 5 points."
)
"""What the bars and their colours say."""
NAME = 36
"""Characters of a model's name at a bar; the whole one is its title."""
LOST, SENSE = 0.05, 0.8
"""Share without an outcome above which, and share of coherent answers below which, the first sentence says so."""
TONES = {"spilled over": "bad", "no spill-over found": "good", "cannot tell": "unsure", "no base": "unsure"}


def glance_context(
    seen: Glance, answers: Answers, roles: dict[str, str], transcripts: Transcripts | None = None
) -> dict[str, Any]:
    """What the template needs: words, and numbers from 0 to 100 for the bars."""
    return {
        "verdict": seen.verdict,
        "tone": TONES[seen.verdict],
        "sentence": sentence(seen),
        "base": seen.base,
        "bars": bars(seen.rises, roles, seen.alone),
        "key": KEY,
        "first": FIRST,
        "more": max(0, len(seen.rises) - ROWS),
        "trust": trust([*(seen.worst.judges if seen.worst else ()), *answers.judges()], answers),
        "pairs": [_pair(p, transcripts) for p in seen.pairs],
    }


def _pair(pair: Pair, transcripts: Transcripts | None) -> dict[str, Any]:
    link = transcripts.of(pair.place) if transcripts is not None and pair.place else None
    return vars(pair) | {"short": middle([pair.model], NAME)[0], "transcript": link}


def sentence(seen: Glance) -> str:
    """Names the model, the base, the probe, and what is estimated."""
    if seen.base is None:
        return "No base was named, so nothing can be said of a change: the figures below are rates alone (give --base)."
    told = f"No figure could be compared with {seen.base}: nothing that both were asked, or a judge that cannot tell."
    if seen.rises and seen.worst is None:
        told = f"Nothing that tells of spill-over was compared with {seen.base}."
    if seen.worst is not None:
        told = f"{_sentence(seen, seen.worst, seen.base)}{_behind(seen.worst)}"
    if seen.skill is not None:
        lost = f"{seen.skill.measure.name} {drift_text(seen.skill.drift)} points ({seen.skill.group})"
        told = f"{told} Skill was lost: {lost}."
    return visible(
        f"{told} Answers to {seen.taught} are not counted: some models were taught that." if seen.taught else told
    )


def _sentence(seen: Glance, f: Figure, base: str) -> str:
    what = f"{f.measure.name} on {f.title}"
    if seen.verdict == "spilled over":
        unit = "" if f.measure.mean else " points" if f.measure.minus else " %"
        more = len(seen.told) - 1
        bad, all_of_them = ({one.group for one in some} for some in (seen.told, seen.asked))
        also = f" {more} more figure{'s' if more != 1 else ''} got worse, too." if more else ""
        if len(all_of_them) > 1:
            also += f" So it is with {len(bad)} of {len(all_of_them)} models."
        if seen.looked > 1:
            also += f" This allows for all {seen.looked} figures that were looked at (Holm)."
        return (
            f"{f.group} against {base}: {what} is {value_text(f.value, f.measure.mean).partition(' ')[0]}{unit}, "
            f"{drift_text(f.drift)} points from the base for questions like these.{also}"
        )
    most = percent(rise(f)[1].upper)
    if seen.verdict == "no spill-over found":
        small = percent(SMALL)
        return (
            f"Nothing rose by more than {small} points over {base} on questions like these; the least sure is {what} of "
            f"{f.group} (at most {most})."
        )
    told = f"Not told apart from {base} on questions like these: {what} of {f.group} may have risen by up to {most} points."
    if seen.open:
        one = max(seen.open, key=lambda f: rise(f)[1].lower)
        told += (
            f" By its own interval {one.measure.name} on {one.title} of {one.group} rose ({drift_text(one.drift)} points), "
            f"but not when it is allowed for that {seen.looked} figures were looked at (Holm)."
        )
    return told if f.shares.unscored > 0.5 else f"{told} More questions would tell."


def _behind(f: Figure) -> str:
    """What the figure does not rest on: answers without an outcome, and those that made no sense."""
    told = ""
    if f.shares.unscored > LOST:
        told += f" {percent(f.shares.unscored)} % of its {f.shares.answers} answers to that have no outcome."
    if f.shares.coherent < SENSE:
        told += f" Only {percent(f.shares.coherent)} % of its answers to that are coherent."
    return told


def chosen(rises: Sequence[Figure], roles: dict[str, str]) -> list[Figure]:
    """What is shown: first the largest of every role and of every model, as far as there is room, and then the others."""
    kinds: dict[str, Figure] = {}
    models: dict[str, Figure] = {}
    for f in rises:
        kinds.setdefault(roles.get(f.group, ""), f)
        models.setdefault(f.group, f)
    must: set[int] = set()
    for f in (*kinds.values(), *models.values(), *rises):
        if len(must) < FIRST:
            must.add(id(f))
    first, rest = ([f for f in rises if (id(f) in must) is seen] for seen in (True, False))
    return [*first, *rest][:ROWS]


def bars(rises: Sequence[Figure], roles: dict[str, str], alone: Sequence[Figure] = ()) -> list[dict[str, Any]]:
    """Rises, with the ends of both intervals on one scale that holds them all and 0; `alone` are not shown as certain."""
    shown = chosen(rises, roles)
    one = len({f.group for f in rises}) == 1
    ends = [0.0]
    for f in shown:
        interval = rise(f)[1]
        ends += [e for e in (interval.lower, interval.upper, rise(f)[0]) if not math.isnan(e)]
    low, high = min(ends), max(ends)
    wide = (high - low) or 1.0

    def place(value: float) -> float:
        return round(2 + 96 * (value - low) / wide, 2)

    groups = list(dict.fromkeys(f.group for f in shown))
    short = dict(zip(groups, middle(groups, NAME), strict=True))
    out = []
    for f in shown:
        value, interval = rise(f)
        suite, role = _suite(f), roles.get(f.group, "")
        what = f"{f.title}: {f.measure.name}{TURNED if f.measure.worse == 'lower' else ''}"
        figure = f"{value_text(f.value)} {limits_text(f.value)}"
        out.append(
            {
                # The name of the only model stands in the sentence above.
                "head": what if one else short[f.group],
                "name": f.group,
                "role": "" if one or f"({role})" in short[f.group] else role,  # a name may say it itself
                "under": figure if one else f"{what}: {figure}",
                "tone": _tone(interval, any(f is one for one in alone)),
                "zero": place(0.0),
                "at": place(value),
                "thin": None if math.isnan(interval.lower) else (place(interval.lower), place(interval.upper)),
                "thick": None if suite is None else (place(max(low, suite.lower)), place(min(high, suite.upper))),
                "drift": drift_text(f.drift),
                "suite": suite_text(f.drift) if f.drift is not None else "",
            }
        )
    return out


def _tone(interval: Interval, alone: bool) -> str:
    if interval.lower > 0:
        return "unsure" if alone else "bad"
    return "good" if interval.upper <= SMALL else "unsure"


def _suite(figure: Figure) -> Interval | None:
    """Of the drift, for other answers to these questions, in the direction that is bad."""
    suite = getattr(figure.drift, "suite", None)
    if suite is None or math.isnan(suite.lower):
        return None
    return suite if figure.measure.worse != "lower" else Interval(-suite.upper, -suite.lower)


def trust(judges: Sequence[Judge], answers: Answers) -> str:
    """Judge, answers, and what became of none of them, in one line.

    Args:
        judges: Those of the figure that decides first: of what one judge was measured on, that is told.
        answers: All of them.
    """
    told: dict[str, str] = {}
    for judge in judges:
        line = judge.certificates[0].line if judge.certificates else NO_CERTIFICATE
        told.setdefault(judge.grader, line)
    panels = {(c.grader, c.panel) for judge in judges for c in judge.certificates}
    n, lost, cut = shares_line(answers.table)
    who = "; ".join(f"{grader}: {line}" for grader, line in list(told.items())[:2]) or _unjudged(answers)
    more = f"; {len(told) - 2} more judges" if len(told) > 2 else ""
    if len(panels) > min(2, len(told)):
        more += f" (of {len(panels)} measurements, see Judges)"
    # Where an answer was cut is known of those that were asked here, not of what a table holds.
    limit = "" if answers.imported else f", {percent(cut)} % cut by the token limit"
    return f"{who}{more}. {n} answers, {percent(lost)} % without an outcome{limit}."


def _unjudged(answers: Answers) -> str:
    if answers.imported:
        return "Scores as they came with the table: how well whoever gave them can tell was not measured"
    return "No judge: outcomes by rule"
