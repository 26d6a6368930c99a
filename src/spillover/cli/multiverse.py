"""`spillover multiverse`: every probe's headline over a grid of choices, from stored readings."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from spillover.answers.layout import Layout
from spillover.answers.measures import UNSCORED
from spillover.answers.presets import general
from spillover.answers.read import read
from spillover.cli.layout import table_options
from spillover.errors import SpilloverError
from spillover.figures.multiverse import preset_table, ranges, views
from spillover.show.terminal import console
from spillover.show.text import percent, rate_text


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@table_options
@click.option("--judge", help="Part of the name of one judge, where several read the answers.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Picture (.svg) of all universes.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write every universe.")
def multiverse(sources: tuple[Path, ...], layout: Layout, judge: str | None, out: Path | None, csv: Path | None) -> None:
    """Does the conclusion hang on one choice? Apply every preset and a grid of thresholds to the readings in SOURCES."""
    if out is not None and out.suffix != ".svg":
        raise SpilloverError(f"Cannot write {out}: the picture's ending must be .svg.")
    answers = read(sources, judge=judge, layout=layout)
    failed = int((answers.table["outcome"] == UNSCORED).sum())
    table = views(answers)
    if table.empty:
        raise SpilloverError(f"None of the {len(answers.table)} answers has an outcome to apply a choice to.")
    to = console()
    found = preset_table(answers)
    if found:
        by_preset = Table("first measure, %", *(p.name for p in general()), box=None, pad_edge=False)
        for (model, where), rates in found.items():
            by_preset.add_row(Text(f"{model} · {where}"), *(rate_text(r) for r in rates))
        to.print(by_preset)
    wide = Table("all universes", "lowest %", "median %", "highest %", "highest / lowest", box=None, pad_edge=False)
    for name, r in ranges(table).items():
        ratio = f"{r.highest / r.lowest:.0f}" if r.lowest > 0 else "from 0"
        wide.add_row(Text(name), percent(r.lowest), percent(r.median), percent(r.highest), ratio)
    to.print(wide)
    to.print(
        Text(
            f"Up to {table.groupby(['model', 'cell']).size().max()} universes a cell: thresholds where grades decide, and "
            "denominators; conditions pooled and apart. The answers and their readings are the same throughout.",
            style="dim",
        )
    )
    share = percent(failed / len(answers.table))
    to.print(Text(f"Unscored and left out: {failed} of {len(answers.table)} answers ({share} %).", style="dim"))
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(csv, index=False)
        click.echo(f"Universes: {csv}")
    if out is not None:
        from spillover.show.multiverse import multiverse_figure
        from spillover.show.plots import to_svg

        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(to_svg(multiverse_figure(table)))
        click.echo(f"Picture: {out}")
