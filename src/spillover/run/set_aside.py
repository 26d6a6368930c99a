"""Logs that must be asked anew are moved, never deleted."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import click

from spillover.logs import read_log


def put_aside(folder: Path) -> Path:
    """Rename a folder to the first free `NAME-failed-K` beside it; its new path."""
    aside = next(p for i in count(1) if not (p := folder.with_name(f"{folder.name}-failed-{i}")).exists())
    return folder.rename(aside)


def put_damaged_aside(folder: Path) -> None:
    """Rename logs that cannot be read, each with a warning; what they held is asked again."""
    for path in sorted(folder.glob("*.eval")):
        try:
            read_log(path, header_only=True)
        except Exception as error:  # a damaged zip raises anything
            click.echo(f"{path} cannot be read as an Inspect log ({error}); its answers are asked for again.", err=True)
            path.rename(path.with_name(path.name + ".damaged"))
