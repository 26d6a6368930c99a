"""Figures as words: the same wording in the terminal, in the report and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spillover.answers.certified import Judge
from spillover.answers.condition import Cell, titles
from spillover.answers.stops import Stop
from spillover.figures.estimate import Estimate
from spillover.figures.figure import Figure, Value, limits
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval, Rate


@dataclass(frozen=True)
class Panel:
    """One table with its heading and what has to be known to read it."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


class Struck(str):
    """A figure that is not to be believed: struck through where that can be shown, and said in words everywhere."""

    struck = True


def struck(text: str, blind: bool) -> str:
    """`blind: 12.3 (31/252)` for a figure by a judge that cannot tell."""
    return Struck(f"blind: {text}") if blind and text not in ("", "–") else text


def percent(value: float) -> str:
    """`12.3`, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def span(interval: Interval, signed: bool = False) -> str:
    """`[1.0, 2.0]` in percent."""
    if math.isnan(interval.lower):
        return "–"
    sign = "+" if signed else ""
    return f"[{100 * interval.lower:{sign}.1f}, {100 * interval.upper:{sign}.1f}]"


def rate_text(rate: Rate) -> str:
    """`12.3 (31/252)`."""
    return f"{percent(rate.value)} ({rate.hits}/{rate.n})"


def value_text(value: Value, signed: bool = False) -> str:
    """`12.3 (31/252)` for a rate, `-12.0` for a lean, `+12.3` for a gap, a dash for nothing."""
    if math.isnan(value.value):
        return "–"
    if isinstance(value, Rate):
        return rate_text(value)
    if isinstance(value, Estimate) and not signed:
        return percent(value.value)
    return f"{100 * value.value:+.1f}"


def limits_text(value: Value, signed: bool = False) -> str:
    """`[1.0, 2.0]`, in percent or points."""
    return span(limits(value), signed or isinstance(value, Drift))


def suite_text(value: Value) -> str:
    """Limits on this suite; nothing for a mean or an arm, which make no such statement."""
    suite = getattr(value, "suite", None)
    return "" if suite is None or math.isnan(suite.lower) else span(suite, isinstance(value, Drift))


def drift_text(drift: Drift | Estimate | None) -> str:
    """`+12.3 [+4.5, +20.1]`; nothing for the base itself, a dash where there is nothing to compare."""
    if drift is None:
        return ""
    if math.isnan(drift.value):
        return "–"
    found = f"{points_text(drift.value)} {span(limits(drift), signed=True)}"
    return found.removesuffix(" –")


def points_text(value: float) -> str:
    """`+1.2`, and plain `0.0` instead of a signed zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def p_text(value: float) -> str:
    """A p value."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def stopped_text(stops: Sequence[Stop]) -> str:
    """Which intervals the ordinary table overstates, because the data decided when to stop; empty for none."""
    names = stop_titles(stops)
    early = [f"{s.model} on {names[s.cell]}" for s in stops if s.skipped]
    if not early:
        return ""
    return f"Stopped early against a margin: {'; '.join(early)}. For these read the confidence sequence, not the interval."


def stop_titles(stops: Sequence[Stop]) -> dict[Cell, str]:
    """Titles of the cells that were run against a margin."""
    return titles(stop.cell for stop in stops)


CUT = 0.05
"""Share of answers cut by the token limit above which a report says so first."""


def cut_text(found: Sequence[Figure]) -> str:
    """Whose answers were cut by the token limit; empty for few."""
    cut = {(f.group, f.title): f.shares for f in found if f.shares.truncated > CUT}
    if not cut:
        return ""
    told = (f"{round(s.truncated * s.answers)} of {s.answers} answers of {who} to {what}" for (who, what), s in cut.items())
    return f"Cut by the token limit: {'; '.join(told)}. What they would have said is unknown; raise max_tokens."


def unscored_text(found: Sequence[Figure]) -> str:
    """Whose answers have no outcome, and why; empty for few."""
    lost = {(f.group, f.title): f.shares for f in found if f.shares.unscored > CUT}
    told = []
    for (who, what), shares in lost.items():
        why = ", ".join(f"{n} {reason}" for reason, n in list(shares.reasons.items())[:3])
        told.append(f"{sum(shares.reasons.values())} of {shares.answers} answers of {who} to {what} ({why})")
    return f"Without an outcome: {'; '.join(told)}." if told else ""


def findings(found: Sequence[Figure], most: int = 12) -> list[str]:
    """One sentence for the headline of every cell that has a base to be compared with, else for every cell."""
    heads = [f for f in found if f.category is None and not f.blind and f.measure == _headline(found, f)]
    out = []
    for figure in heads:
        if figure.drift is None or math.isnan(figure.drift.value):
            continue
        out.append(
            f"{figure.group} on {figure.title}: {figure.measure.name} {told_apart(figure.drift, figure.measure.worse)}, "
            f"{drift_text(figure.drift)} points; {_in_percent(figure)}."
        )
    out = out or [f"{f.group} on {f.title}: {f.measure.name} {_in_percent(f)} {limits_text(f.value)}." for f in heads]
    return out[:most] + ([f"… and {len(out) - most} more, in the table."] if len(out) > most else [])


def told_apart(drift: Drift | Estimate, worse: str) -> str:
    """`higher than the base on questions like these (worse)`: what is known of a drift, and of which questions.

    An arm of several seeds makes the first statement only.
    """
    beyond, here = _side(limits(drift)), _side(drift.suite) if isinstance(drift, Drift) else ""
    told = beyond or here
    if not told:
        whose = "on this suite" if isinstance(drift, Drift) else "on questions like these"
        return f"not told apart from the base {whose}"
    verdict = "" if worse == "neither" else " (worse)" if told == worse else " (better)"
    if beyond:
        return f"{told} than the base on questions like these{verdict}"
    return f"{told} than the base on this suite{verdict}, not told apart on questions like these"


def _side(interval: Interval) -> str:
    return "higher" if interval.lower > 0 else "lower" if interval.upper < 0 else ""


def _in_percent(figure: Figure) -> str:
    """`77.5 % (196/253)`, a gap in points."""
    number, space, counts = value_text(figure.value, figure.measure.mean).partition(" ")
    return f"{number} {'points' if figure.measure.minus else '%'}{space}{counts}"


def _headline(found: Sequence[Figure], of: Figure) -> object:
    return next(f.measure for f in found if f.cell == of.cell and f.group == of.group)


NO_CERTIFICATE = "no certificate here that fits"
"""What is said of a judge of which none is at hand by these rubrics, thresholds and way of reading."""


def judged_text(judges: Sequence[Judge]) -> list[str]:
    """What has to be said of the judges before any figure: who cannot tell, and of whom that is not known."""
    out = []
    blind: dict[str, dict[str, None]] = {}
    unknown: dict[tuple[str, str | None], dict[str, None]] = {}
    for judge in judges:
        if judge.problem:
            blind.setdefault(f"{judge.grader} {judge.problem}", {})[judge.probe] = None
        elif not judge.certificates:
            unknown.setdefault((judge.grader, judge.asks), {})[judge.probe] = None
    for told, probes in blind.items():
        out.append(f"The judge cannot tell: {told}. Its rates on {', '.join(probes)} are struck through.")
    for (grader, asks), probes in unknown.items():
        told = f": `spillover judge-check {asks}` measures it." if asks else "; who judged is known by name only."
        out.append(f"{grader} has {NO_CERTIFICATE} ({', '.join(probes)}), so nothing says whether it can tell{told}")
    return out


CONDITIONS = (
    "Shares in percent (hits/n); a lean runs from -100 (left) to +100 (right); a gap or an effect is in points. 95 % "
    "intervals. On this suite: other answers to these questions. Questions like these: other questions, too; the "
    "question is the unit, so answers to one question count less than one each. A drift is the mean over the "
    "questions that base and model share, so it need not be the difference of two rates; its interval is for "
    "questions like these. Coherent, unscored and cut by the token limit: shares of the model's answers to that "
    "probe; unscored ones count in no rate of outcomes. All of it is conditional on grader, rubric and "
    "preset, and on these weights; grader error is no part of it."
)
