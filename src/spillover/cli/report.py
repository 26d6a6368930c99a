"""`spillover report` and `spillover import`: tables and HTML page from logs and judged tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from spillover.answers.layout import Layout
from spillover.answers.presets import presets
from spillover.answers.read import as_told, called, read
from spillover.answers.table import words
from spillover.answers.vote import VOTES, Vote, by_vote
from spillover.cli.layout import table_options
from spillover.cli.numbers import OPEN_SHARE
from spillover.cli.outputs import ANSWERS, FIGURES, PAGE, OutFolder
from spillover.cli.publish import details_option, frame_of, publish, write_frame
from spillover.cli.rows import Rows, rows_options
from spillover.cli.trackers import send_figures, trackers_option
from spillover.errors import SpilloverError
from spillover.figures.calibration import load_calibration
from spillover.run.study import taught_in
from spillover.show.judges import vote_panel
from spillover.show.report import report as put_together
from spillover.show.text import Panel

PRESETS = ", ".join(presets())


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--base", help="Model that drift is measured against [default: that of the run].")
@click.option("--taught", help="Question set of what the fine-tune was to teach, which is no spill-over [default: a run's].")
@click.option("--preset", help=f"Apply other thresholds to the stored readings: {PRESETS}.")
@click.option("--judge", help="Part of the name of one judge (grader and rubrics), where several read the answers.")
@click.option("--vote", type=click.Choice(VOTES), help="One verdict of all judges of an answer, by this rule.")
@table_options
@click.option("--calibration", type=click.Path(path_type=Path), help="Correct the rates by this calibration (.json).")
@click.option("--margin", type=OPEN_SHARE, help="Test the drift from --base against this margin (0.02 is two points).")
@details_option
@click.option("-o", "--out", type=PAGE, help="HTML report.")
@click.option("--figures", "figures_out", type=OutFolder("pictures"), help="Folder for the pictures as SVG and PNG.")
@click.option("--table", "table_out", type=FIGURES, help="Write every figure (.csv or .parquet).")
@click.option("--frame", "frame_out", type=ANSWERS, help="Write every answer (.csv or .parquet).")
@trackers_option
@rows_options
def report(
    logs: tuple[Path, ...],
    base: str | None,
    taught: str | None,
    preset: str | None,
    judge: str | None,
    vote: Vote | None,
    layout: Layout,
    calibration: Path | None,
    margin: float | None,
    details: bool,
    out: Path | None,
    figures_out: Path | None,
    table_out: Path | None,
    frame_out: Path | None,
    rows: Rows,
) -> None:
    """Rates, intervals and drift of the judged answers in LOGS (logs, folders of logs, tables)."""
    if vote is not None and judge is not None:
        raise SpilloverError("Give --judge or --vote, not both.")
    # A calibration's labels know models by the names of the logs.
    plain: dict[str, str] | None = {} if calibration else None
    answers = read(logs, names=plain, judge=judge, preset=preset, layout=layout, mixed=vote is not None)
    panels: tuple[Panel, ...] = ()
    if vote is not None:
        answers = by_vote(answers, vote)
        panels = (vote_panel(answers, vote),)
    by_run, cast = as_told(answers)
    other, told = (by_run, answers) if calibration else (answers, by_run)
    wanted = base or cast.base
    base = called(wanted, other, told) if wanted else None
    if margin is not None and base is None:
        raise SpilloverError("--margin is of the drift from a base, and these logs name none; give --base, too.")
    chosen = load_calibration(calibration) if calibration else None
    sets = words(answers.table["question_set"])
    if taught is not None and taught not in sets:
        raise SpilloverError(f"No answer is to the question set '{taught}'; they are to {', '.join(sets)}.")
    taught = taught or (cast.taught if cast.names else taught_in(logs))
    how: dict[str, Any] = {"calibration": chosen, "margin": margin, "panels": panels}
    made = put_together(told, base=base, taught=taught, roles={} if calibration else cast.roles, **how)
    publish(made, out, details, rows)
    if table_out is not None:
        write_frame(frame_of(made), table_out, "Figures", rows)
    if frame_out is not None:
        write_frame(told.table, frame_out, rows=rows)
    if figures_out is not None:
        from spillover.show.html import drawings, write_figures

        for path in write_figures(drawings(made), figures_out):
            click.echo(str(path), err=rows is not None)
    send_figures(made)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@table_options
@click.option("--preset", help=f"Thresholds: {PRESETS} [default: betley2025; a frame's own].")
@click.option("--base", help="Model that drift is measured against.")
@click.option("--judge", help="Part of the name of one judge, where several scored the answers.")
@details_option
@click.option("-o", "--out", type=PAGE, help="HTML report.")
@click.option("--table", "table_out", type=FIGURES, help="Write every figure (.csv or .parquet).")
@click.option("--frame", "frame_out", type=ANSWERS, help="Write every answer (.csv or .parquet).")
@rows_options
def import_command(
    files: tuple[Path, ...],
    layout: Layout,
    preset: str | None,
    base: str | None,
    judge: str | None,
    details: bool,
    out: Path | None,
    table_out: Path | None,
    frame_out: Path | None,
    rows: Rows,
) -> None:
    """Read judged answers from FILES (CSV, JSON, parquet, Excel). A file without a model column is one model."""
    answers = read(files, judge=judge, preset=preset, layout=layout)
    made = put_together(answers, "Imported answers", base=base)
    publish(made, out, details, rows)
    if table_out is not None:
        write_frame(frame_of(made), table_out, "Figures", rows)
    if frame_out is not None:
        write_frame(answers.table, frame_out, rows=rows)
