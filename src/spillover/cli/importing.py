"""`spillover import`: judged answers from elsewhere into the same table and report."""

from __future__ import annotations

from pathlib import Path

import click

from spillover.answers.presets import get_preset, presets
from spillover.answers.tables import import_tables, parse_map
from spillover.cli.report import publish


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--map", "pairs", multiple=True, metavar="FIELD=COLUMN", help="Which column holds a field; may be repeated.")
@click.option("--preset", default="betley2025", show_default=True, help=f"Thresholds: {', '.join(presets())}.")
@click.option("--base", help="Model that drift is measured against.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="HTML report.")
@click.option("--frame", "frame_out", type=click.Path(path_type=Path), help="Write the tidy frame (.csv or .parquet).")
def import_command(
    files: tuple[Path, ...],
    pairs: tuple[str, ...],
    preset: str,
    base: str | None,
    out: Path | None,
    frame_out: Path | None,
) -> None:
    """Read judged answers from FILES (CSV, TSV, JSONL, parquet). A file without a model column is one model."""
    chosen = get_preset(preset)
    frame = import_tables(files, parse_map(pairs), chosen)
    publish(frame, chosen, "Imported answers", base, out, frame_out, lab=False)
