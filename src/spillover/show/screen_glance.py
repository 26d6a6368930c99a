"""The first screen of a gate's page: the verdict in a sentence, how sure it is, why to believe it, answers that show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spillover.screening.result import ProbeResult, ScreenResult, Shown, Verdict
from spillover.show.fit import middle
from spillover.show.glance import FIRST, NAME
from spillover.show.text import NO_CERTIFICATE, percent
from spillover.sinks import visible
from spillover.stats.paired_sequential import Look

TONES: dict[Verdict, str] = {"PASS": "good", "FAIL": "bad", "INCONCLUSIVE": "unsure", "INVALID": "unsure"}
KEY = (
    "Line: the confidence sequence for these questions, which may be looked at after every round. Dotted: the margin. "
    "Orange: above it; blue: below it."
)
PAIRS = 3


def screen_glance(result: ScreenResult) -> dict[str, Any]:
    """What the template needs, as `spillover.show.glance.glance_context` gives it of a report."""
    asked = sorted((p for p in result.probes if p.last), key=_drift, reverse=True)
    base = str(result.about["base"]["name"])
    return {
        "verdict": result.verdict,
        "tone": TONES[result.verdict],
        "sentence": visible(_sentence(result, asked, base)),
        "base": base,
        "bars": _bars(asked, float(result.about["settings"]["margin"])),
        "key": KEY,
        "first": FIRST,
        "more": 0,
        "trust": _trust(result),
        "pairs": _pairs(result, asked, base),
    }


def _drift(probe: ProbeResult) -> float:
    return probe.last.pairs.drift if probe.last and sum(probe.last.pairs) else float("-inf")


def _sentence(result: ScreenResult, asked: Sequence[ProbeResult], base: str) -> str:
    name = result.about["checkpoint"]["name"]
    told = f"{name} against {base}: {result.reason}"
    failed = _surest([p for p in asked if p.verdict == "FAIL"])
    if result.verdict == "PASS" and asked and (last := asked[0].last):
        told += f" The largest drift is {asked[0].name}, {100 * last.pairs.drift:+.1f} points on these questions."
    if result.verdict == "FAIL" and failed and (last := failed[0].last):
        mine, theirs = failed[0].checkpoint, failed[0].base
        told += (
            f" {failed[0].name}, {failed[0].counts}: {percent(mine.rate)} % of {mine.scored} against "
            f"{percent(theirs.rate)} % of {theirs.scored}, {100 * last.pairs.drift:+.1f} points {_limits(last)} on these "
            "questions."
        )
    return told


def _surest(failed: Sequence[ProbeResult]) -> list[ProbeResult]:
    return sorted(failed, key=lambda p: p.last.lower if p.last else -1.0, reverse=True)


def _limits(look: Look) -> str:
    return f"[{100 * look.lower:+.1f}, {100 * look.upper:+.1f}]"


def _trust(result: ScreenResult) -> str:
    """The judge in short; every certificate stands below the table."""
    judge, measured = result.judge, result.certificates
    told = f"Judge {result.about['grader']['name']}: " + (
        f"{judge.right} of {judge.known} known answers read rightly, {judge.flipped} of {judge.planted} verdicts changed by "
        "planted instructions"
        if judge
        else "not checked on planted instructions"
    )
    blind = [c.panel for c in measured if c.problem]
    if not measured:
        told += f"; {NO_CERTIFICATE}"
    elif blind:
        told += f"; it cannot tell by its measurements of {', '.join(blind)}"
    else:
        panels = "rubrics" if len(measured) > 1 else "rubric"
        told += f"; it can tell under the {len(measured)} {panels} that it was measured by"
    return f"{told}. {_counts(result)}"


def _counts(result: ScreenResult) -> str:
    sides = [side for p in result.probes for side in (p.checkpoint, p.base)]
    n, lost = (sum(getattr(s, key) for s in sides) for key in ("answers", "unscored"))
    if not n:
        return "No answer was asked for."
    # A stored baseline does not say which of its answers were cut.
    known = [p.checkpoint for p in result.probes] if result.about["baseline"] else sides
    cut = sum(s.cut for s in known) / max(1, sum(s.answers for s in known))
    whose = " of the checkpoint's" if result.about["baseline"] else ""
    return f"{n} answers, {percent(lost / n)} % without an outcome, {percent(cut)} %{whose} cut by the token limit."


def _bars(asked: Sequence[ProbeResult], margin: float) -> list[dict[str, Any]]:
    """Drifts with their confidence sequences and the margin, on one scale that holds them all and 0."""
    ends = [0.0, margin] + [e for p in asked if p.last for e in (p.last.lower, p.last.upper)]
    ends += [p.last.pairs.drift for p in asked if p.last and sum(p.last.pairs)]
    low, high = min(ends), max(ends)

    def place(value: float) -> float:
        return round(2 + 96 * (value - low) / (high - low), 2)

    out = []
    for probe in asked:
        last = probe.last
        assert last is not None  # of those alone that were asked
        known = sum(last.pairs) > 0
        rates = " against ".join(f"{percent(s.rate)} % ({s.hits}/{s.scored})" for s in (probe.checkpoint, probe.base))
        out.append(
            {
                "head": f"{probe.name}: {probe.verdict}",
                "name": probe.counts,
                "under": f"{probe.counts}: {rates}",
                "tone": TONES[probe.verdict],
                "zero": place(0.0),
                "margin": place(margin),
                "at": place(last.pairs.drift) if known else None,
                # Looks that exclude each other leave nothing between: the answers changed while they were asked.
                "thin": (place(last.lower), place(last.upper)) if last.lower <= last.upper else None,
                "drift": f"{100 * last.pairs.drift:+.1f} {_limits(last)}" if known else f"– {_limits(last)}",
            }
        )
    return out


def _pairs(result: ScreenResult, asked: Sequence[ProbeResult], base: str) -> list[dict[str, Any]]:
    """Of the probes that failed, one of every probe before the second of any; no answers decide another verdict."""
    order = _surest([p for p in asked if p.verdict == "FAIL"]) if result.verdict == "FAIL" else []
    rounds = [[p.evidence[i] for p in order if i < len(p.evidence)] for i in range(PAIRS)]
    shown = [s for some in rounds for s in some][:PAIRS]
    return [_pair(s, str(result.about["checkpoint"]["name"])) for s in shown]


def _pair(shown: Shown, name: str) -> dict[str, Any]:
    return {
        "question": shown.question,
        "model": name,
        "short": middle([name], NAME)[0],
        "base_answer": shown.base,
        "base_outcome": "not bad",
        "answer": shown.checkpoint,
        "outcome": shown.outcome,
        "reasoning": shown.reasoning,
        "base_reasoning": shown.base_reasoning,
        "quote": None,
        "grades": "",
        "transcript": None,
    }
