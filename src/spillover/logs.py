"""Logs from outside: every reader of an Inspect log goes by here."""

from __future__ import annotations

from pathlib import Path

from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample_summaries

from spillover.schema import parse_json


def read_log(path: Path, header_only: bool = False) -> EvalLog:
    """An Inspect log, `.eval` or `.json`.

    Raises:
        Exception: of any kind for a damaged one.
    """
    check_log(path)
    return read_eval_log(str(path), header_only=header_only)


def samples_in(path: Path) -> int:
    """How many samples a log has.

    Raises:
        Exception: of any kind for a damaged one.
    """
    check_log(path)
    return len(read_eval_log_sample_summaries(str(path)))


def check_log(path: Path) -> None:
    """Refuse JSON that would end the process.

    Inspect streams such logs by a C library (ijson 3.6), which does not survive a whole number of more digits than Python
    takes.

    Raises:
        ValueError: saying what is wrong.
    """
    if path.suffix == ".json":
        parse_json(path.read_bytes())
