"""`spillover multiverse`: every probe's headline over a grid of choices, from stored readings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pandas as pd
from rich.text import Text

from spillover.answers.layout import Layout
from spillover.answers.measures import UNSCORED
from spillover.answers.presets import general
from spillover.answers.read import Answers, read
from spillover.cli.layout import table_options
from spillover.cli.outputs import PICTURE, UNIVERSES
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.figures.multiverse import orders, preset_table, ranges, views
from spillover.show.terminal import console, print_panel
from spillover.show.text import Panel, percent, rate_text
from spillover.writing import write_bytes, write_table

NAMED = 3
"""Pairs of models that are named for each probe."""


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@table_options
@click.option("--judge", help="Part of the name of one judge, where several read the answers.")
@click.option("-o", "--out", type=PICTURE, help="Picture (.svg) of all universes.")
@click.option("--table", "table_out", type=UNIVERSES, help="Write every universe (.csv).")
@rows_options
def multiverse(
    sources: tuple[Path, ...], layout: Layout, judge: str | None, out: Path | None, table_out: Path | None, rows: Rows
) -> None:
    """Does the conclusion hang on one choice? Apply every preset and a grid of thresholds to the readings in SOURCES."""
    answers = read(sources, judge=judge, layout=layout)
    table = views(answers)
    if table.empty:
        raise SpilloverError(f"None of the {len(answers.table)} answers has an outcome to apply a choice to.")
    if rows is None:
        _show(answers, table)
    else:
        print_rows(table.to_dict("records"), rows)
    if table_out is not None:
        write_table(table, table_out)
        click.echo(f"Universes: {table_out}", err=rows is not None)
    if out is not None:
        from spillover.show.multiverse import multiverse_figure
        from spillover.show.plots import to_svg

        write_bytes(out, to_svg(multiverse_figure(table)))
        click.echo(f"Picture: {out}", err=rows is not None)


def _show(answers: Answers, table: pd.DataFrame) -> None:
    to, failed = console(), int((answers.table["outcome"] == UNSCORED).sum())
    found = preset_table(answers)
    if found:
        body = [(f"{model} · {where}", *map(rate_text, rates)) for (model, where), rates in found.items()]
        print_panel(to, Panel("", ("first measure, %", *(p.name for p in general())), tuple(body), ""))
    body = []
    for name, r in ranges(table).items():
        ratio = f"{r.highest / r.lowest:.0f}" if r.lowest > 0 else "from 0"
        body.append((name, percent(r.lowest), percent(r.median), percent(r.highest), ratio))
    heads = ("all universes", "lowest %", "median %", "highest %", "highest / lowest")
    print_panel(to, Panel("", heads, tuple(body), ""))
    for sentence in _conclusions(table):
        to.print(Text(sentence, style="bold"))
    to.print(
        Text(
            f"Up to {table.groupby(['model', 'cell']).size().max()} universes a cell: thresholds where grades decide, and "
            "denominators; conditions pooled and apart. The answers and their readings are the same throughout.",
            style="dim",
        )
    )
    share = percent(failed / len(answers.table))
    to.print(Text(f"Unscored and left out: {failed} of {len(answers.table)} answers ({share} %).", style="dim"))


def _conclusions(table: pd.DataFrame) -> Iterator[str]:
    """For each probe, which models are told apart, and whether that hangs on a choice; the least certain ones first."""
    for probe, pairs in orders(table).items():
        turned = [p for p in pairs if p.below]
        partly = [p for p in pairs if not p.below and 0 < p.above < p.universes]
        for p in turned[:NAMED]:
            where = f"above it in {p.above} of {p.universes} universes, below it in {p.below}"
            yield f"{probe}: whether '{p.upper}' is worse or better than '{p.lower}' hangs on the choice: {where}."
        for p in partly[: max(0, NAMED - len(turned))]:
            where = f"in {p.above} of {p.universes} universes, in the others not told apart"
            yield f"{probe}: '{p.upper}' is above '{p.lower}' {where}."
        counts = {
            "told apart by every choice": sum(p.above == p.universes for p in pairs),
            "by some": len(partly),
            "by none": sum(not p.above for p in pairs),
            "turned round by some": len(turned),
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        pair = "pair" if len(pairs) == 1 else "pairs"
        yield f"{probe}: of {len(pairs)} {pair} of models {told} (intervals that do not overlap)."
