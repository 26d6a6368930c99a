"""`spillover geometry` and `combine`: what the updates of adapters have in common, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from spillover import __version__
from spillover.cli.numbers import FEW
from spillover.cli.outputs import MODULES, PAGE, OutFolder
from spillover.cli.progress import bar
from spillover.cli.publish import write_frame
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError
from spillover.figures.likeness import by_layer, curves, frame
from spillover.mechanism.likeness import began_alike
from spillover.show.likeness import likeness_parts
from spillover.show.terminal import console, print_panel, stderr_console
from spillover.writing import write_text

if TYPE_CHECKING:
    from spillover.mechanism.files import AdapterFile


@click.command()
@click.argument("organisms", nargs=-1, required=True)
@click.option("-k", "ks", multiple=True, type=FEW, help="Singular vectors [default: 1, 4, 16 and 20].")
@click.option("-o", "--out", type=PAGE, help="HTML page with the curves over the layers.")
@click.option("--table", "table_out", type=MODULES, help="Every module (.csv or .parquet).")
@rows_options
def geometry(organisms: tuple[str, ...], ks: tuple[int, ...], out: Path | None, table_out: Path | None, rows: Rows) -> None:
    """Say how alike the updates of ORGANISMS are: folders of LoRA adapters of one base, or NAME=FOLDER.

    For every pair: overlap and angles of their singular subspaces and the cosine of the whole updates, beside what random
    subspaces give and what adapters have in common that only began with the same A. From the factors alone: no base, no GPU.
    """
    from spillover.mechanism.subspaces import KS, compare

    adapters = adapters_of(organisms)
    with bar(stderr_console(), "comparing") as advance:
        likeness, inner = compare(adapters, ks or KS, lambda done, total: advance(done, total, "modules"))
    found, alike = curves(likeness, inner), list(began_alike(inner))
    panels, drawings = likeness_parts(found, alike, every=bool(ks))
    if rows is not None:
        print_rows((row for curve in found for row in by_layer(curve)) if rows == "csv" else map(vars, found), rows)
    else:
        to = console()
        for panel in panels:
            print_panel(to, panel)
            to.print(Text(panel.note, style="dim"))
    if table_out is not None:
        write_frame(frame(likeness), table_out, "Modules", rows)
    if out is not None:
        from spillover.show.html import fill_template
        from spillover.show.plots import data_uri, to_svg

        pictures = [{"uri": data_uri(to_svg(d.figure)), "alt": d.alt, "caption": d.caption} for d in drawings]
        told = {a.name: str(a.folder) for a in adapters} | {"spillover": __version__}
        page = fill_template(title="Geometry of updates", findings=[], panels=panels, figures=pictures, provenance=told)
        write_text(out, page)
        click.echo(f"Report: {out}", err=rows is not None)


@click.command()
@click.argument("parts", nargs=-1, required=True, metavar="FOLDER=WEIGHT...")
@click.option("-o", "--out", type=OutFolder("an organism", alone=True), required=True, help="New folder for the adapter.")
def combine(parts: tuple[str, ...], out: Path) -> None:
    """Write the weighted sum of adapters as one adapter, exactly: `a=1 b=1` adds, `a=-1` negates, `a=2` goes past it."""
    from spillover.mechanism.combine import combine as add

    _refuse_there(out)
    weighted = []
    for part in parts:
        name, _, weight = part.rpartition("=")
        try:
            number = float(weight if name else "")
        except ValueError as error:
            raise SpilloverError(f"'{part}' is no FOLDER=WEIGHT, such as runs/organism=0.5.") from error
        weighted.append((adapters_of([name])[0], number))
    click.echo(str(add(weighted, out)))


def _refuse_there(out: Path) -> None:
    if out.exists():
        raise SpilloverError(f"{out} is there already; choose another folder.")


def adapters_of(names: Sequence[str]) -> list[AdapterFile]:
    """Adapters by folder, or by NAME=FOLDER; folders of one name are told apart by the folder above."""
    from spillover.mechanism.files import AdapterFile

    parts = [name.partition("=") for name in names]
    split = [(called, folder) if equals else ("", called) for called, equals, folder in parts]
    found = [AdapterFile(folder, called) for called, folder in split]
    names_of = [a.name for a in found]
    for adapter in found:
        if names_of.count(adapter.name) > 1:
            adapter.name = f"{adapter.folder.parent.name}/{adapter.folder.name}"
    if len({a.name for a in found}) < len(found):
        raise SpilloverError("Two adapters have the same name; give them as NAME=FOLDER.")
    return found
