"""`--json` and `--csv`: what a command prints, as rows for another program; everything else then goes to standard error."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, Literal

import click
import pandas as pd

from spillover.errors import SpilloverError
from spillover.redaction import redact
from spillover.sinks import cell, visible

Rows = Literal["json", "csv"] | None
"""How rows are printed; None for tables for people."""


def rows_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` and `--csv`, as `rows`."""

    @wraps(function)
    def called(*args: Any, as_json: bool, as_csv: bool, **more: Any) -> Any:
        if as_json and as_csv:
            raise SpilloverError("Give --json or --csv, not both.")
        return function(*args, rows="json" if as_json else "csv" if as_csv else None, **more)

    added = click.option("--csv", "as_csv", is_flag=True, help="Print the figures as CSV and nothing else.")(called)
    return click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON and nothing else.")(added)


def print_rows(rows: Iterable[Mapping[Any, Any]], how: Rows) -> None:
    """To standard output: a list of objects, in which what is not known is null, or a table whose texts are no formulas.

    In a table what lies within another value has a column of its own (`found.hits`). Secrets are masked in both.
    """
    found = [plain(dict(row)) for row in rows]
    if how == "csv":
        flat = [dict(_flat(row)) for row in found]
        out = io.StringIO()
        writer = csv.DictWriter(out, list(dict.fromkeys(key for row in flat for key in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: cell(v) if isinstance(v, str) else v for key, v in row.items()} for row in flat)
        click.echo(visible(out.getvalue()).rstrip("\n"))
    else:
        click.echo(json.dumps(found, indent=1))


def plain(value: Any) -> Any:
    """A value as JSON has it: NaN and infinity are null, tuples lists, and no text holds a known secret."""
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value is pd.NA or value is pd.NaT else value


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value) if isinstance(value, list) else value
