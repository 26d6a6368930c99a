"""`spillover report`: table and HTML page from Inspect logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from spillover.answers.attacked import AttackResult, read_attacks
from spillover.answers.external import OtherScore, read_others
from spillover.answers.frame import cells, judges, tidy, with_preset
from spillover.answers.logs import NoAnswers, read_logs
from spillover.answers.outcomes import ProbeRun, failed_judgements, read_outcomes
from spillover.answers.presets import Preset, get_preset, presets
from spillover.answers.stops import Stop, read_stops
from spillover.errors import SpilloverError
from spillover.figures.agreement import agreement
from spillover.figures.calibration import Calibration, load_calibration
from spillover.show import panels as p
from spillover.show.domains import domain_panel
from spillover.show.external import others_panel
from spillover.show.formats import formats_panel
from spillover.show.plots import Drawing
from spillover.show.probes import probes_panels
from spillover.show.terminal import panel_table, show
from spillover.show.text import stopped_text


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--base", help="Model that drift is measured against, as named in the logs.")
@click.option("--preset", help=f"Apply another preset to the stored scores: {', '.join(presets())}.")
@click.option("--judge", help="Part of the name of one judge (grader and rubrics), where several scored the answers.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Correct the rates by this calibration (.json).")
@click.option("--margin", type=float, help="Test the drift from --base against this margin (0.02 is two points).")
@click.option("--details", is_flag=True, help="Print every table that the HTML report has.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="HTML report.")
@click.option("--figures", "figures_out", type=click.Path(path_type=Path), help="Folder for the figures as SVG and PNG.")
@click.option("--frame", "frame_out", type=click.Path(path_type=Path), help="Write the tidy frame (.csv or .parquet).")
def report(
    logs: tuple[Path, ...],
    base: str | None,
    preset: str | None,
    judge: str | None,
    calibration: Path | None,
    margin: float | None,
    details: bool,
    out: Path | None,
    figures_out: Path | None,
    frame_out: Path | None,
) -> None:
    """Rates, intervals and drift of the judged answers in LOGS (files or folders)."""
    if margin is not None and (base is None or not 0 < margin < 1):
        raise SpilloverError("--margin is a drift between 0 and 1 from the model named by --base; give both.")
    attacks = read_attacks(logs)
    panel = p.attacks_panel(attacks)
    runs, others = read_outcomes(logs), read_others(logs)
    try:
        frame = read_logs(logs, judge=judge)
    except NoAnswers:
        if runs or others:
            frame = tidy([])
        elif panel is None or out or frame_out or figures_out or base:
            raise
        else:
            console().print(panel_table(panel))  # logs of the meta-eval alone
            return
    stored = sorted({str(name) for name in frame["preset"] if name})
    if preset is None and len(stored) > 1:
        raise SpilloverError(f"The logs were judged with different presets ({', '.join(stored)}); choose one with --preset.")
    chosen = get_preset(preset or (stored[0] if stored else "spillover"))
    frame = with_preset(frame, chosen)
    extras = Extras(
        calibration=_matching(load_calibration(calibration), frame, chosen) if calibration else None,
        margin=margin,
        stops=read_stops(logs),
        attacks=attacks,
        runs=runs,
        others=others,
        details=details,
    )
    lab = bool(frame["truth"].notna().any()) or any(run.truths for run in runs)
    publish(frame, chosen, "Emergent misalignment", base, out, frame_out, lab, extras)
    if figures_out is not None:
        from spillover.show.html import drawings, write_figures

        rows = list(cells(frame, base))
        if not rows:
            raise SpilloverError("--figures draws answers with EM verdicts, and these logs hold none.")
        for path in write_figures(drawings(frame, rows, chosen, extras.stops), figures_out):
            click.echo(str(path))


@dataclass(frozen=True)
class Extras:
    """What a report may say besides rates.

    Attributes:
        calibration: To correct rates with.
        margin: For the test of the drift.
        stops: Sequential decisions.
        attacks: What planted instructions did to the grader.
        runs: Probes that score outcomes instead of the EM verdict.
        others: Metrics of other packages' tasks.
        details: Whether every table is printed, not only those that were asked for.
        panels: Tables of the study itself, which come first.
        figures: Figures of the study itself.
    """

    calibration: Calibration | None = None
    margin: float | None = None
    stops: Sequence[Stop] = ()
    attacks: Sequence[AttackResult] = ()
    runs: Sequence[ProbeRun] = ()
    others: Sequence[OtherScore] = ()
    details: bool = False
    panels: Sequence[p.Panel] = ()
    figures: Sequence[Drawing] = ()


DRIFT_MARGIN = 0.05
"""Margin of the report's drift tests when none is given, as a share."""


def _matching(calibration: Calibration, frame: pd.DataFrame, preset: Preset) -> Calibration:
    """The calibration, as long as it is of the judge that scored these answers."""
    names = [name.strip() for name in judges(frame)]
    if names != [calibration.judge]:
        raise SpilloverError(
            f"The calibration is of another judge ({calibration.judge}) than these answers ({'; '.join(names) or 'none'})."
        )
    if calibration.preset != preset.name:
        raise SpilloverError(f"The calibration is for the preset {calibration.preset}, not {preset.name}; add --preset.")
    return calibration


def publish(
    frame: pd.DataFrame,
    preset: Preset,
    title: str,
    base: str | None,
    out: Path | None,
    frame_out: Path | None,
    lab: bool,
    extras: Extras | None = None,
) -> None:
    """Print the table and write what was asked for.

    Raises:
        SpilloverError: if `base` is not among the models, or a file has an ending that cannot be written.
    """
    extras = extras or Extras()
    others = (score.model for score in extras.others)
    models = dict.fromkeys([*frame["model"], *(run.model for run in extras.runs), *others])
    if base is not None and base not in models:
        raise SpilloverError(f"No model is called '{base}'; choose from {', '.join(models)}.")
    if frame_out is not None and frame_out.suffix not in (".csv", ".parquet"):
        raise SpilloverError(f"Cannot write {frame_out}: the frame's ending must be .csv or .parquet.")
    rows = list(cells(frame, base))
    asked = [
        *extras.panels,
        *probes_panels(extras.runs, base),
        formats_panel(frame),
        domain_panel(frame),
        others_panel(extras.others, base),
        p.corrected_panel(frame, rows, extras.calibration, preset) if extras.calibration else None,
        p.drift_panel(frame, rows, base, extras.margin) if base and extras.margin else None,
        p.stops_panel(extras.stops),
        p.attacks_panel(extras.attacks),
    ]
    more = [
        p.intervals_panel(rows),
        p.drift_panel(frame, rows, base, DRIFT_MARGIN) if base and not extras.margin else None,
        p.flips_panel(frame, base) if base else None,
    ]
    printed = [panel for panel in asked + (more if extras.details else []) if panel]
    show(console(), rows, f"{title} ({preset.name})", agreement(frame), printed, stopped_text(extras.stops))
    if frame_out is not None:
        write_frame(frame, frame_out)
    if out is not None:
        from spillover.show.html import render

        out.parent.mkdir(parents=True, exist_ok=True)
        everything = [panel for panel in asked + more if panel]
        page = render(frame, preset, title, base, lab, everything, extras.stops, rows, extras.figures, extras.runs)
        out.write_bytes(page.encode("utf-8", "replace"))  # a model can write half a surrogate pair
        click.echo(f"Report: {out}")


def refuse_failures(runs: Sequence[ProbeRun], frame: pd.DataFrame) -> None:
    """After everything is written: say that judgements are missing.

    Raises:
        SpilloverError: if the grader could not be reached for some.
    """
    failed = failed_judgements(runs) + sum("grader_error" in str(why) for why in frame["unscored_reason"])
    if failed:
        raise SpilloverError(
            f"{failed} judgements failed because the grader could not be reached; they count as unscored. The same command "
            "asks for them again."
        )


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
