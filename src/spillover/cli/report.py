"""`spillover report`: table and HTML page from Inspect logs."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from spillover.errors import SpilloverError
from spillover.judging.presets import Preset, get_preset, presets
from spillover.records.agreement import agreement
from spillover.records.frame import cells, with_preset
from spillover.records.logs import read_logs
from spillover.report.terminal import show


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--base", help="Model that drift is measured against, as named in the logs.")
@click.option("--preset", help=f"Apply another preset to the stored scores: {', '.join(presets())}.")
@click.option("--judge", help="Part of the name of one judge (grader and rubrics), where several scored the answers.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="HTML report.")
@click.option("--frame", "frame_out", type=click.Path(path_type=Path), help="Write the tidy frame (.csv or .parquet).")
def report(
    logs: tuple[Path, ...],
    base: str | None,
    preset: str | None,
    judge: str | None,
    out: Path | None,
    frame_out: Path | None,
) -> None:
    """Rates, intervals and drift of the judged answers in LOGS (files or folders)."""
    frame = read_logs(logs, judge=judge)
    stored = sorted({str(p) for p in frame["preset"] if p})
    if preset is None and len(stored) > 1:
        raise SpilloverError(f"The logs were judged with different presets ({', '.join(stored)}); choose one with --preset.")
    chosen = get_preset(preset or (stored[0] if stored else "spillover"))
    frame = with_preset(frame, chosen)
    publish(frame, chosen, "Emergent misalignment", base, out, frame_out, lab=bool(frame["truth"].notna().any()))


def publish(
    frame: pd.DataFrame,
    preset: Preset,
    title: str,
    base: str | None,
    out: Path | None,
    frame_out: Path | None,
    lab: bool,
) -> None:
    """Print the table and write what was asked for.

    Raises:
        SpilloverError: if `base` is not among the models, or a file has an ending that cannot be written.
    """
    if base is not None and base not in set(frame["model"]):
        raise SpilloverError(f"No model is called '{base}'; choose from {', '.join(dict.fromkeys(frame['model']))}.")
    if frame_out is not None and frame_out.suffix not in (".csv", ".parquet"):
        raise SpilloverError(f"Cannot write {frame_out}: the frame's ending must be .csv or .parquet.")
    show(console(), list(cells(frame, base)), f"{title} ({preset.name})", agreement(frame))
    if frame_out is not None:
        write_frame(frame, frame_out)
    if out is not None:
        from spillover.report.html import render

        out.parent.mkdir(parents=True, exist_ok=True)
        page = render(frame, preset, title, base, lab)
        out.write_bytes(page.encode("utf-8", "replace"))  # a model can write half a surrogate pair
        click.echo(f"Report: {out}")


def console() -> Console:
    """The terminal as wide as it is; a file or pipe gets room for whole rows."""
    out = Console()
    return out if out.is_terminal else Console(width=120)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write the tidy frame; scores become text, since a special verdict is a word."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = frame.copy()
    for column in ("alignment", "coherence"):
        flat[column] = [None if v is None else str(v) for v in frame[column]]
    for column in ("question", "answer"):  # a model can write half a surrogate pair, which no file format takes
        flat[column] = [str(v).encode("utf-8", "replace").decode() for v in frame[column]]
    if path.suffix == ".csv":
        flat.to_csv(path, index=False)
    else:
        flat.astype({"valid_format": "boolean", "epoch": "Int64"}, errors="ignore").to_parquet(path, index=False)
    click.echo(f"Frame: {path}")
