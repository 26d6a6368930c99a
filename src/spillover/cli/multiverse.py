"""`spillover multiverse`: the EM rate over a grid of choices, from stored scores."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
from rich.table import Table
from rich.text import Text

from spillover.answers.frame import with_preset
from spillover.answers.presets import general, get_preset
from spillover.answers.tables import ENDINGS, import_tables, parse_map
from spillover.cli.report import console
from spillover.errors import SpilloverError
from spillover.show.text import percent, rate_text


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--map", "pairs", multiple=True, metavar="FIELD=COLUMN", help="Which column of a table holds a field.")
@click.option("--judge", help="Part of the name of one judge, where several scored the answers.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Figure (.svg) of all universes.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write every universe.")
def multiverse(
    sources: tuple[Path, ...], pairs: tuple[str, ...], judge: str | None, out: Path | None, csv: Path | None
) -> None:
    """Does the conclusion hang on one choice? Apply every preset and a grid of thresholds to the scores in SOURCES."""
    if out is not None and out.suffix != ".svg":
        raise SpilloverError(f"Cannot write {out}: the figure's ending must be .svg.")
    from spillover.figures.multiverse import ranges, verdict_table, views
    from spillover.show.multiverse import multiverse_figure

    frame = _read(sources, pairs, judge)
    table = views(frame)
    to = console()
    by_preset = Table("EM %", *(p.name for p in general()), box=None, pad_edge=False)
    for (model, where), rates in verdict_table(with_preset, frame).items():
        by_preset.add_row(Text(f"{model} · {where}"), *(rate_text(r) for r in rates))
    to.print(by_preset)
    wide = Table("all universes", "lowest %", "median %", "highest %", "highest / lowest", box=None, pad_edge=False)
    for name, r in ranges(table).items():
        ratio = f"{r.highest / r.lowest:.0f}" if r.lowest > 0 else "from 0"
        wide.add_row(Text(name), percent(r.lowest), percent(r.median), percent(r.highest), ratio)
    to.print(wide)
    to.print(
        Text(
            f"{table.groupby(['model', 'cell']).size().max()} universes a cell: alignment thresholds, coherence filters and "
            "denominators; formats pooled and apart. The answers and their scores are the same throughout.",
            style="dim",
        )
    )
    failed = int((frame["verdict"] == "unscored").sum())
    to.print(
        Text(f"Unscored and left out: {failed} of {len(frame)} answers ({percent(failed / len(frame))} %).", style="dim")
    )
    if csv is not None:
        csv.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(csv, index=False)
        click.echo(f"Universes: {csv}")
    if out is not None:
        from spillover.show.plots import to_svg

        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(to_svg(multiverse_figure(table)))
        click.echo(f"Figure: {out}")


def _read(sources: tuple[Path, ...], pairs: tuple[str, ...], judge: str | None) -> pd.DataFrame:
    tables = [s for s in sources if s.suffix in ENDINGS]
    frames = [import_tables(tables, parse_map(pairs), get_preset("spillover"))] if tables else []
    logs = [s for s in sources if s.suffix not in ENDINGS]
    if logs:
        from spillover.answers.logs import read_logs

        frames.append(read_logs(logs, judge=judge))
    return pd.concat(frames, ignore_index=True)
