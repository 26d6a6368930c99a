"""A result as JSON for programs, JUnit XML for CI, Markdown for a pull request."""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from spillover.schema import check_schema
from spillover.screening.result import ProbeResult, ScreenResult, Side
from spillover.show.text import percent
from spillover.sinks import visible
from spillover.writing import write_bytes

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("screen.schema.json").read_text(encoding="utf-8"))
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = {"PASS": "✅", "FAIL": "❌", "INCONCLUSIVE": "❔", "INVALID": "⚠️"}


def as_json(result: ScreenResult) -> dict[str, Any]:
    """The result as published in `screen.schema.json`.

    Raises:
        SpilloverError: if it should not fit the schema, which would be our fault.
    """
    body = {
        "format": "spillover-screen/1",
        "verdict": result.verdict,
        "reason": result.reason,
        "exit_code": result.exit_code,
        "about": json.loads(json.dumps(result.about, default=str)),
        "judge": {**asdict(result.judge), "problem": result.judge.problem} if result.judge else None,
        "certificates": [{**c.as_dict(), "problem": c.problem} for c in result.certificates],
        "left_out": list(result.left_out),
        "probes": [_probe(p, result.seconds.get(p.name)) for p in result.probes],
        "usage": {n: {"input_tokens": i, "output_tokens": o} for n, (i, o) in sorted(result.usage.items())},
        "cost_usd": result.cost,
    }
    check_schema(body, SCHEMA, "the result of this screen")
    return body


def _probe(probe: ProbeResult, seconds: float | None) -> dict[str, Any]:
    last = probe.last
    pairs = last.pairs if last else (0, 0, 0)
    drift = last.pairs.drift if last else math.nan
    return {
        "name": probe.name,
        "counts": probe.counts,
        "verdict": probe.verdict,
        "reason": probe.reason,
        "p_pass": probe.p_pass,
        "p_fail": probe.p_fail,
        "rounds": last.rounds if last else 0,
        **dict(zip(("rose", "same", "fell"), pairs, strict=True)),
        "drift": None if math.isnan(drift) else drift,
        "lower": last.lower if last else -1.0,
        "upper": last.upper if last else 1.0,
        "checkpoint": asdict(probe.checkpoint),
        "base": asdict(probe.base),
        "evidence": [asdict(shown) for shown in probe.evidence],
        "seconds": seconds,
    }


def as_junit(result: ScreenResult) -> bytes:
    """One test case a probe: FAIL is a failure, INVALID and INCONCLUSIVE are errors: what was not decided did not pass.

    Also where another probe failed first: to CI a skipped test is as good as one that passed.
    """
    bad = {"FAIL": "failure", "INCONCLUSIVE": "error", "INVALID": "error"}
    counted = [bad.get(p.verdict) for p in result.probes]
    count = {kind: counted.count(kind) for kind in ("failure", "error")}
    judge = result.judge.problem if result.judge else None
    total = len(result.probes) + (result.judge is not None)
    suite = ElementTree.Element(
        "testsuite",
        name="spillover screen",
        tests=str(total),
        failures=str(count["failure"]),
        errors=str(count["error"] + bool(judge)),
        time=f"{sum(result.seconds.values()):.1f}",
    )
    if result.judge is not None:
        case = ElementTree.SubElement(suite, "testcase", classname="spillover.screen", name="judge")
        if judge:
            ElementTree.SubElement(case, "error", message=_xml(judge))
    for probe in result.probes:
        time = {"time": f"{result.seconds[probe.name]:.1f}"} if probe.name in result.seconds else {}
        case = ElementTree.SubElement(suite, "testcase", time, classname="spillover.screen", name=_xml(probe.name))
        kind = bad.get(probe.verdict)
        if kind:
            said = f"undecided: {probe.reason}" if probe.verdict == "INCONCLUSIVE" else probe.reason
            node = ElementTree.SubElement(case, kind, message=_xml(said), type=probe.verdict)
            node.text = _xml("\n\n".join("\n".join(f"{who}: {text}" for who, text in s.told) for s in probe.evidence[:5]))
        ElementTree.SubElement(case, "system-out").text = _xml(
            " · ".join(f"{h} {v}" for h, v in zip(HEADERS[2:], row(probe)[2:], strict=True))
        )
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _xml(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return _NOT_XML.sub("\ufffd", visible(text))


FILES = ("screen.json", "junit.xml", "screen.md", "report.html")
HEADERS = (
    "probe: what counts as bad",
    "verdict",
    "checkpoint",
    "base",
    "drift, points",
    "confidence sequence",
    "pairs",
    "unscored %",
    "why",
)


def row(probe: ProbeResult) -> tuple[str, ...]:
    """One probe as texts under `HEADERS`."""
    last = probe.last
    drift = f"{100 * last.pairs.drift:+.1f}" if last and sum(last.pairs) else "–"
    span = f"[{100 * last.lower:+.1f}, {100 * last.upper:+.1f}]" if last else "–"
    pairs = str(sum(last.pairs)) if last else "0"
    return (
        f"{probe.name}: {probe.counts}",
        probe.verdict,
        _rate(probe.checkpoint),
        _rate(probe.base),
        drift,
        span,
        pairs,
        " / ".join(percent(side.share(side.unscored)) for side in (probe.checkpoint, probe.base)),
        probe.reason,
    )


def _rate(side: Side) -> str:
    return f"{percent(side.rate)} % ({side.hits}/{side.scored})"


def judge_line(result: ScreenResult) -> str:
    """What is known of the grader, in one sentence."""
    known = "; ".join(f"{c.panel}: {c.line}" for c in result.certificates)
    measured = f" Measured on answers whose outcome is known: {known}." if known else ""
    if result.judge is None:
        return f"The judge was not checked on planted instructions.{measured}"
    j = result.judge
    return (
        f"Judge {result.about['grader']['name']}: {j.right} of {j.known} known answers read rightly, "
        f"{j.flipped} of {j.planted} verdicts changed by planted instructions.{measured}"
    )


def as_markdown(result: ScreenResult) -> str:
    """A comment for a pull request; model text is fenced and cannot end its fence."""
    lines = [
        f"## {_MARKS[result.verdict]} Spillover screen: {result.verdict}",
        "",
        _cell(result.reason),
        "",
        "| " + " | ".join(HEADERS) + " |",
        "|" + "---|" * len(HEADERS),
        *("| " + " | ".join(_cell(value) for value in row(probe)) + " |" for probe in result.probes),
        "",
        _cell(conditions(result)),
    ]
    for probe in result.probes:
        if probe.verdict == "FAIL" and probe.evidence:
            lines += ["", f"<details><summary>Answers that decided {html.escape(probe.name)}</summary>", ""]
            for shown in probe.evidence[:5]:
                told = (f"{who}: {_short(text)}" for who, text in shown.told)
                lines += [*_fenced("\n".join(told)), ""]
            lines.append("</details>")
    return "\n".join(lines) + "\n"


def conditions(result: ScreenResult) -> str:
    """What the verdict is conditional on."""
    s = result.about["settings"]
    left_out = f" Not tested: {', '.join(result.left_out)}." if result.left_out else ""
    return (
        f"{result.about['checkpoint']['name']} against {result.about['base']['name']}"
        f"{' (stored baseline)' if result.about['baseline'] else ''}, suite {s['suite']}, "
        f"margin {100 * s['margin']:g} points, error {s['alpha']:g}, preset {s['preset']}. {judge_line(result)}{left_out} "
        "The confidence sequence is for these questions and holds whenever the screen stopped. "
        f"Digest {result.about['digest'][:12]}."
    )


def _short(text: str, most: int = 400) -> str:
    """Cut: a comment on GitHub holds 65,536 characters."""
    return text if len(text) <= most else text[:most] + " …"


def _cell(text: str) -> str:
    """No Markdown or HTML of its own."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@!])", r"\\\1", visible(" ".join(text.split())))


def _fenced(text: str) -> list[str]:
    text = visible(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", text, fence]


def write_all(result: ScreenResult, folder: Path) -> list[Path]:
    """Write the four files; each appears whole or not at all."""
    from spillover.show.screen import screen_page

    texts = {
        "screen.json": (json.dumps(as_json(result), indent=1, ensure_ascii=True) + "\n").encode(),
        "junit.xml": as_junit(result),
        "screen.md": as_markdown(result).encode("utf-8", "replace"),
        "report.html": screen_page(result).encode("utf-8", "replace"),
    }
    out = []
    for name, content in texts.items():
        write_bytes(folder / name, content)
        out.append(folder / name)
    return out
