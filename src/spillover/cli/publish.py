"""What every command that reports does last: print, write the page, say what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd

from spillover.answers.read import Answers
from spillover.answers.table import words
from spillover.errors import SpilloverError
from spillover.show.report import Report, write_page
from spillover.show.terminal import console, show


def publish(made: Report, out: Path | None, details: bool = False) -> None:
    """Print the tables, and write the page if one was asked for."""
    show(console(), made, details)
    if out is not None:
        write_page(made, out)
        click.echo(f"Report: {out}")


def refuse_failures(answers: Answers) -> None:
    """After everything is written: say that judgements are missing.

    Raises:
        SpilloverError: if the grader gave no reply to some.
    """
    failed = answers.table["grader_failed"].to_numpy()
    if failed.any():
        why = "; ".join(words(answers.table[failed]["unscored_reason"])[:3]) or "a second opinion"
        raise SpilloverError(
            f"{int(failed.sum())} judgements failed at the grader ({why}) and count as unscored. The same command asks for "
            "them again."
        )


def write_frame(table: pd.DataFrame, path: Path, what: str = "Frame") -> None:
    """Write a table of answers or figures.

    Raises:
        SpilloverError: for an ending that cannot be written.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise SpilloverError(f"Cannot write {path}: the ending must be .csv or .parquet.")
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = table.copy()
    if "facts" in flat:
        flat["facts"] = [json.dumps(v) if isinstance(v, dict) else None for v in table["facts"]]
    for column in (c for c in ("question", "answer") if c in flat):  # half a surrogate pair, which no file format takes
        flat[column] = [str(v).encode("utf-8", "replace").decode() for v in table[column]]
    if path.suffix == ".csv":
        flat.to_csv(path, index=False)
    else:
        flat.to_parquet(path, index=False)
    click.echo(f"{what}: {path}")
