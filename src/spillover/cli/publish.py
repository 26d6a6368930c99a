"""What every command that reports does last: print, write the page, say what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd
from rich.text import Text

from spillover import __version__
from spillover.answers.read import Answers
from spillover.answers.table import words
from spillover.cli.rows import Rows, print_rows
from spillover.errors import SpilloverError
from spillover.figures.table import figures_frame
from spillover.show.glance import sentence
from spillover.show.report import Report, write_page
from spillover.show.terminal import console, show
from spillover.writing import write_table

details_option = click.option("--details", is_flag=True, help="Print every table that the page has.")


def publish(made: Report, out: Path | None, details: bool = False, rows: Rows = None) -> None:
    """Print the tables, or every figure as rows, and write the page if one was asked for."""
    if rows is None:
        to = console()
        show(to, made, details)
        if made.seen is not None and made.seen.rises:
            to.print(Text(f"{made.seen.verdict.upper()}. {sentence(made.seen)}", style="bold"))
        models = made.answers.models
        if made.base is None and len(models) > 1:
            to.print(
                Text(
                    f"No drift: name the model that it is measured from, --base NAME ({', '.join(models[:4])}).", style="dim"
                )
            )
    else:
        print_rows(frame_of(made).to_dict("records"), rows)
    if out is not None:
        write_page(made, out)
        click.echo(f"Report: {out}", err=rows is not None)


def frame_of(made: Report) -> pd.DataFrame:
    """Every figure of a report, one a row, with what its drift is from and by which thresholds it is."""
    table = figures_frame(made.figures, made.base, made.answers.external)
    return table.assign(base=made.base, preset=made.answers.preset.name, spillover=__version__)


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


def write_frame(table: pd.DataFrame, path: Path, what: str = "Frame", rows: Rows = None) -> None:
    """Write a table of answers or figures, `.csv` or `.parquet`."""
    flat = table.copy()
    if "facts" in flat:
        flat["facts"] = [json.dumps(v) if isinstance(v, dict) else None for v in table["facts"]]
    for column in (c for c in ("question", "answer") if c in flat):  # half a surrogate pair, which no file format takes
        flat[column] = [str(v).encode("utf-8", "replace").decode() for v in table[column]]
    write_table(flat, path)
    click.echo(f"{what}: {path}", err=rows is not None)
