"""`spillover calibrate`: how often the judge is right, from labels, and a file to correct other rates with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from spillover.answers.labels import answer_ids, labelling_sheet, read_labels
from spillover.answers.presets import Preset, presets
from spillover.answers.read import read
from spillover.answers.table import words
from spillover.cli.numbers import MANY, SEED
from spillover.cli.outputs import CALIBRATION
from spillover.cli.rows import Rows, print_rows, rows_options
from spillover.errors import SpilloverError, choices
from spillover.figures.calibration import Calibration
from spillover.figures.calibration import calibrate as make
from spillover.figures.share import Share
from spillover.show.terminal import console
from spillover.show.text import percent, span
from spillover.writing import write_table


@click.command()
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--probe", help="Probe whose judge is calibrated, where the logs are of several.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write a labelling sheet (.csv) instead, to be filled in.")
@click.option("--count", type=MANY, default=200, show_default=True, help="Answers in the sheet.")
@click.option("--labels", type=click.Path(path_type=Path), help="The sheet, filled in. Without it: lab ground truth.")
@click.option("--judge", help="Part of the name of one judge, where several read the answers.")
@click.option("--preset", help=f"Thresholds: {', '.join(presets())}.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the sheet's draw.")
@click.option("-o", "--out", type=CALIBRATION, help="Store the calibration (.json).")
@rows_options
def calibrate(
    logs: tuple[Path, ...],
    probe: str | None,
    sheet: Path | None,
    count: int,
    labels: Path | None,
    judge: str | None,
    preset: str | None,
    seed: int,
    out: Path | None,
    rows: Rows,
) -> None:
    """Compare a judge's outcomes in LOGS with labels: sensitivity, specificity, reliability, thresholds."""
    answers = read(logs, names={}, judge=judge, preset=preset)
    known = words(answers.table["probe"])
    if probe is None and len(known) > 1:
        raise SpilloverError(f"A calibration is of one probe; choose one with --probe ({', '.join(known)}).")
    if probe is not None and probe not in known:
        raise SpilloverError(f"The logs hold no answers to '{probe}'; {choices(probe, known)}")
    asked = answers.table[(answers.table["probe"] == (probe or known[0])).to_numpy()]
    measure = answers.share(asked)
    if measure is None:
        raise SpilloverError(f"No measure of {probe or known[0]} is a share of outcomes, so there is nothing to calibrate.")
    if sheet is not None:
        if labels is not None or out is not None:
            raise SpilloverError("--sheet writes a sheet and nothing else; fill it in, then give --labels and -o.")
        if sheet.suffix != ".csv":
            raise SpilloverError(f"Cannot write {sheet}: the sheet's ending must be .csv.")
        if sheet.exists():
            raise SpilloverError(f"{sheet} exists; it may hold labels, so choose another name.")
        drawn = labelling_sheet(asked, measure, count, seed)
        write_table(drawn, sheet)
        click.echo(
            f"Sheet: {sheet} ({len(drawn)} answers). Fill in the column 'label' with one of {', '.join(measure.words)}, "
            f"then: --labels {sheet}"
        )
        return
    if labels is not None:
        given = read_labels(labels, measure, words(asked["outcome"]))
        found = [given.get(i, (None, 1.0)) for i in answer_ids(asked)]
        if not any(label for label, _ in found):
            raise SpilloverError(
                f"No label in {labels} is of an answer in these logs; give the logs that the sheet came from."
            )
        matched = sum(label is not None for label, _ in found)
        if matched < len(given):
            click.echo(
                f"{len(given) - matched} of {len(given)} labels are of no answer in these logs and were left out.", err=True
            )
        truth, weights, source = [label for label, _ in found], [w for _, w in found], str(labels)
    else:
        if asked["truth"].isna().all():
            raise SpilloverError(
                "These answers have no ground truth; write a sheet with --sheet, fill it in, and give --labels."
            )
        truth, weights, source = list(asked["truth"].astype(object)), [1.0] * len(asked), "lab ground truth"
    made = make(answers, asked, truth, weights, source)
    if rows is None:
        _show(made, answers.preset)
    else:
        print_rows(_rows(made, answers.preset), rows)
    if out is not None:
        made.save(out)
        click.echo(f"Calibration: {out}", err=rows is not None)


def _rows(made: Calibration, preset: Preset) -> Iterator[dict[str, Any]]:
    """Sensitivity and specificity, by the preset and at every threshold, and how grades are calibrated."""

    def row(what: str, share: Share, low: float | None = None, high: float | None = None) -> dict[str, Any]:
        limits = {"lower": share.interval.lower, "upper": share.interval.upper}
        return {"what": what, "grade_from": low, "grade_below": high, "value": share.value, **limits, "n": share.n}

    for what, share in zip(("sensitivity", "specificity"), made.quality, strict=True):
        yield row(what, share)
    for t in made.thresholds(_grid(preset)):
        yield row("sensitivity", t.sensitivity, high=t.below)
        yield row("specificity", t.specificity, high=t.below)
    for low, high, share in made.reliability():
        yield row("truly so", share, low, high)


def _grid(preset: Preset) -> list[float]:
    return sorted({*range(10, 100, 10), preset.misaligned_below})


def _show(made: Calibration, preset: Preset) -> None:
    to = console()
    to.print(
        Text(
            f"{made.judge}\n{made.probe}: {made.measure}. {len(made.labels)} labelled answers that the judge decided; "
            f"source: {made.source}; preset {preset.name}."
        )
    )
    sensitivity, specificity = made.quality
    to.print(
        Text(
            f"Sensitivity {percent(sensitivity.value)} {span(sensitivity.interval)}, specificity "
            f"{percent(specificity.value)} {span(specificity.interval)}."
        )
    )
    rows = made.thresholds(_grid(preset))
    if not rows:
        return
    sweep = Table("alignment below", "sensitivity %", "specificity %", box=None, pad_edge=False)
    for t in rows:
        mark = " *" if t.below == preset.misaligned_below else ""
        sweep.add_row(
            f"{t.below:g}{mark}",
            f"{percent(t.sensitivity.value)} {span(t.sensitivity.interval)}",
            f"{percent(t.specificity.value)} {span(t.specificity.interval)}",
        )
    to.print(sweep)
    curve = Table("alignment score", "answers", "truly so %", box=None, pad_edge=False)
    for low, high, share in made.reliability():
        curve.add_row(f"{low:g} to {high:g}", str(share.n), f"{percent(share.value)} {span(share.interval)}")
    to.print(curve)
    to.print(Text("* the preset's threshold. Intervals are for questions like these.", style="dim"))
