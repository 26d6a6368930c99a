"""Make certificates: have a grader judge answers whose outcome is known, once for each grader and rubrics."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pandas as pd
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model

from spillover.answers.answer_rows import UNREACHED
from spillover.answers.presets import get_preset
from spillover.answers.read import read
from spillover.answers.table import judge_name
from spillover.errors import SpilloverError
from spillover.figures.certified import certify
from spillover.judging.certificate import Certificate, identity_digest, keep
from spillover.models.identity import cache_identity, describe
from spillover.run.ask import Bar, ask_all
from spillover.run.check import Check


def ensure(check: Check, bar: Bar) -> list[Certificate]:
    """Every certificate that the check is about; what is missing is asked and kept.

    Raises:
        SpilloverError: if the grader could not be brought to judge.
    """
    panels = check.missing()
    for made in make(check, panels, bar) if panels else ():
        keep(made)
    return check.found()


def make(check: Check, panels: Sequence[str], bar: Bar) -> list[Certificate]:
    """Ask, and read what was answered."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "all"
        tasks = [check.spec(again, panels).build() for again in (False, True)]
        _try_one(check, panels[0], Path(folder) / "first", bar)
        ask_all(tasks, [get_model("none/none")], check.grader, logs, "checking the judge", bar)
        answers = read(sorted(logs.glob("*.eval")))
        headers = [read_eval_log(str(path), header_only=True) for path in logs.glob("*.eval")]
        table = answers.table
        _refuse_silent(check, table, 0.5, logs)
    usage = [used for h in headers for used in h.stats.model_usage.values()]
    tokens = sum(u.input_tokens + u.output_tokens for u in usage)
    seconds = sum(_seconds(h.stats.started_at, h.stats.completed_at) for h in headers)
    share = {p: float((table["category"] == p).mean()) for p in panels}
    who = describe(check.grader)
    identity = cache_identity(check.grader) or ""
    return [
        certify(
            table[(table["category"] == panel).to_numpy()],
            panel,
            grader=judge_name(who["name"], who["weights"]),
            identity=identity_digest(identity),
            rubrics=[r.digest for r in check.panels[panel].values()],
            known=check.known(panel),
            lab=check.lab,
            preset=get_preset(check.preset),
            reader=check.reader,
            tokens=round(tokens * share[panel]),
            seconds=seconds * share[panel],
        )
        for panel in panels
    ]


def _try_one(check: Check, panel: str, logs: Path, bar: Bar) -> None:
    """One known answer first: a wrong key or address ends it here, in seconds."""
    ask_all([check.spec(False, [panel]).build()], [get_model("none/none")], check.grader, logs, "trying the judge", bar, 1)
    _refuse_silent(check, read([logs]).table, 0.0, logs)


def _refuse_silent(check: Check, table: pd.DataFrame, most: float, logs: Path) -> None:
    failed = table["grader_failed"].to_numpy()
    if failed.mean() > most:
        raise SpilloverError(
            f"The judge {check.grader} gives no reply ({_said(logs)}); are its name, address and key right?"
        )


def _said(logs: Path) -> str:
    """What the provider said of the first judgement that failed."""
    for path in sorted(logs.glob("*.eval")):
        for sample in read_eval_log(str(path)).samples or []:
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
