"""Make certificates: have a grader judge answers whose outcome is known, once for each grader and rubrics."""

from __future__ import annotations

import logging
import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from inspect_ai.model import get_model

from spillover.answers.answer_rows import UNREACHED
from spillover.answers.presets import get_preset
from spillover.answers.read import read
from spillover.answers.retry import ask_failures_again
from spillover.answers.table import judge_name
from spillover.errors import SpilloverError
from spillover.figures.certified import certify
from spillover.judging.certificate import Certificate, identity_digest, keep
from spillover.logs import read_log
from spillover.models.identity import cache_identity, describe
from spillover.run.ask import Bar, ask_all
from spillover.run.check import Check

logger = logging.getLogger(__name__)
AGAIN = 2
"""Times that failed judgements are asked again."""


def ensure(check: Check, bar: Bar) -> list[Certificate]:
    """Every certificate that the check is about; what is missing is asked and kept.

    Raises:
        SpilloverError: if the grader could not be brought to judge.
    """
    panels = check.missing()
    for made in make(check, panels, bar) if panels else ():
        keep(made, check.folder)
    return check.found()


def make(check: Check, panels: Sequence[str], bar: Bar) -> list[Certificate]:
    """Ask, and read what was answered.

    A call that failed is no verdict: it is asked again, and a panel with any left has no certificate.

    Raises:
        SpilloverError: if the grader gives no reply.
    """
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "all"
        tasks = [check.spec(again, panels).build() for again in (False, True)]
        _try_one(check, panels[0], Path(folder) / "first", bar)
        ask_all(tasks, [get_model("none/none")], check.grader, logs, "checking the judge", bar)
        for _ in range(AGAIN):
            if not ask_failures_again(logs, check.grader):
                break
        table = read(sorted(logs.glob("*.eval")), mixed=True).table
        failed = set(table[table["grader_failed"].to_numpy()]["category"].astype(str))
        if failed >= set(panels):
            raise SpilloverError(f"The judge {check.grader} does not reply reliably ({_said(logs)}); run the command again.")
        calls, tokens, written, seconds = _effort(logs)
    for panel in sorted(failed):
        logger.warning(
            "%s did not reply to every known answer of %s: it has no certificate for it yet.", check.grader, panel
        )
    share = {p: float((table["category"] == p).mean()) for p in panels}
    who = describe(check.grader)
    return [
        certify(
            table[(table["category"] == panel).to_numpy()],
            panel,
            grader=judge_name(who["name"], who["weights"]),
            identity=identity_digest(cache_identity(check.grader) or ""),
            rubrics=[r.digest for r in check.panels[panel].values()],
            known=check.known(panel),
            lab=check.lab,
            preset=get_preset(check.preset),
            reader=check.reader,
            calls=calls.get(panel, 0),
            tokens=round(tokens * share[panel]),
            output_tokens=math.floor(written * share[panel]),
            seconds=seconds * share[panel],
        )
        for panel in panels
        if panel not in failed
    ]


def _effort(logs: Path) -> tuple[Counter[str], int, int, float]:
    """(calls by panel that no cache answered, tokens, those of them that were written, seconds)."""
    calls: Counter[str] = Counter()
    tokens, written, seconds = 0, 0, 0.0
    for path in logs.glob("*.eval"):
        log = read_log(path)
        tokens += sum(u.input_tokens + u.output_tokens for u in log.stats.model_usage.values())
        written += sum(u.output_tokens for u in log.stats.model_usage.values())
        seconds += _seconds(log.stats.started_at, log.stats.completed_at)
        for sample in log.samples or []:
            for score in (sample.scores or {}).values():
                readings = ((score.metadata or {}).get("readings") or {}).values()
                calls[str(sample.metadata["category"])] += sum(not r["cached"] for r in readings)
    return calls, tokens, written, seconds


def _try_one(check: Check, panel: str, logs: Path, bar: Bar) -> None:
    """One known answer first: a wrong key or address ends it here, in seconds."""
    ask_all([check.spec(False, [panel]).build()], [get_model("none/none")], check.grader, logs, "trying the judge", bar, 1)
    if read([logs], mixed=True).table["grader_failed"].any():
        told = _said(logs)
        raise SpilloverError(f"The judge {check.grader} gives no reply ({told}); are its name, address and key right?")


def _said(logs: Path) -> str:
    """What the provider said of the first judgement that failed."""
    for path in sorted(logs.glob("*.eval")):
        for sample in read_log(path).samples or []:
            for score in (sample.scores or {}).values():
                for reading in ((score.metadata or {}).get("readings") or {}).values():
                    if UNREACHED in str(reading["reason"]):
                        kind = str(reading["reason"]).partition(": ")[2]
                        return f"{kind}: {' '.join(map(str, reading['replies']))[:200]}"
    return "no reason given"


def _seconds(start: str, end: str) -> float:
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except ValueError:
        return 0.0
