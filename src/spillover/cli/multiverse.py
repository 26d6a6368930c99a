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
from spillover.answers.read import Answers, as_told, called, read
from spillover.cli.layout import table_options
from spillover.cli.outputs import PICTURE, UNIVERSES
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError, choices
from spillover.figures.multiverse import Range, conclusions, moved, preset_table, ranges, views
from spillover.show.terminal import console, print_panel
from spillover.show.text import Panel, percent, rate_text
from spillover.writing import write_bytes, write_table


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@table_options
@click.option(
    "--base", help="Model that drift is measured from: whether it hangs on a choice is then said [default: that of the run]."
)
@click.option("--judge", help="Part of the name of one judge, where several read the answers.")
@click.option("-o", "--out", type=PICTURE, help="Picture (.svg) of all universes.")
@click.option("--table", "table_out", type=UNIVERSES, help="Write every universe (.csv).")
@rows_options
def multiverse(
    sources: tuple[Path, ...],
    layout: Layout,
    base: str | None,
    judge: str | None,
    out: Path | None,
    table_out: Path | None,
    rows: Rows,
) -> None:
    """Does the conclusion hang on one choice? Apply every preset and a grid of thresholds to the readings in SOURCES."""
    found = read(sources, judge=judge, layout=layout)
    answers, cast = as_told(found)
    base = called(base, found, answers) if base else cast.base
    if base is not None and base not in answers.models:
        raise SpilloverError(f"No model here is called '{base}'; {choices(base, answers.models)}")
    table = views(answers)
    if table.empty:
        raise SpilloverError(f"None of the {len(answers.table)} answers has an outcome to apply a choice to.")
    if rows is None:
        _show(answers, table, base)
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


def _show(answers: Answers, table: pd.DataFrame, base: str | None) -> None:
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
    if base is not None:
        for sentence in _conclusions(answers, base):
            to.print(Text(sentence, style="bold"))
    elif len(answers.models) > 1:
        to.print(
            Text(
                f"Whether a drift hangs on a choice: name its base, --base NAME ({', '.join(answers.models[:4])}).",
                style="dim",
            )
        )
    else:
        for name, r in moved(table).items():
            to.print(Text(f"{name}: {_moved(r)}.", style="bold"))
        to.print(Text("Whether it drifted from its base needs the base's answers, too, and --base NAME.", style="dim"))
    to.print(
        Text(
            f"Up to {table.groupby(['model', 'cell']).size().max()} universes a cell: thresholds where grades decide, and "
            "denominators; conditions pooled and apart. The answers and their readings are the same throughout.",
            style="dim",
        )
    )
    share = percent(failed / len(answers.table))
    to.print(Text(f"Unscored and left out: {failed} of {len(answers.table)} answers ({share} %).", style="dim"))


def _moved(r: Range) -> str:
    """How far choices alone move a rate."""
    if r.highest == r.lowest:
        return f"{percent(r.lowest)} %, whatever is chosen"
    return f"anything from {percent(r.lowest)} to {percent(r.highest)} %, by choice alone (of choices that leave a tenth)"


def _conclusions(answers: Answers, base: str) -> Iterator[str]:
    """For each probe and model, whether it is worse than the base whatever is chosen."""
    for c in conclusions(answers, base):
        if not c.universes:
            yield f"{c.probe}: no choice leaves enough answers of {c.model} and {base}."
            continue
        parts = {f"worse than {base}": c.worse, "better": c.better, "not told apart": c.universes - c.worse - c.better}
        held = next((what for what, n in parts.items() if n == c.universes), None)
        if held is not None:
            told = f"{held.replace('better', f'better than {base}')}, whatever is chosen ({c.universes} universes)"
        else:
            shares = ", ".join(f"{what} in {n}" for what, n in parts.items() if n)
            told = f"it hangs on the choice: {shares} of {c.universes} universes"
        less = f"; {c.left_out} leave hardly any answers" if c.left_out else ""
        yield f"{c.probe}, {c.model}: {told}{less}."
