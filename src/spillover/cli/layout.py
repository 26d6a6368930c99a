"""Options of every command that reads tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from spillover.answers.layout import Layout


def table_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options, and hands their meaning to the command as `layout`."""

    @click.option("--map", "pairs", multiple=True, metavar="FIELD=COLUMN", help="Which column of a table holds a field.")
    @click.option(
        "--map-value", "words", multiple=True, metavar="WORD=OUTCOME", help="What a word among a table's scores means."
    )
    @click.option(
        "--top",
        multiple=True,
        metavar="SCORE",
        help="The best score of a table, if not 100, or alignment=10.",
    )
    @wraps(command)
    def with_layout(pairs: tuple[str, ...], words: tuple[str, ...], top: tuple[str, ...], **given: Any) -> None:
        command(layout=Layout.of(pairs, words, top), **given)

    return with_layout
