"""`spillover run`: one command from recipe to report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from spillover.answers.outcomes import ProbeRun
from spillover.answers.presets import get_preset
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.report import Extras, publish, refuse_failures, write_frame
from spillover.locking import only_one
from spillover.models.weights import resolve_checkpoint
from spillover.paths import evals_dir
from spillover.run.bases import Answered, base_names, together
from spillover.run.study import Experiment, load_experiment
from spillover.serving.serve import EngineName
from spillover.show.plots import Drawing


def _study(spec: Experiment, frame: pd.DataFrame, runs: Sequence[ProbeRun]) -> Extras:
    """Tables and figure of an experiment that compares arms."""
    from spillover.figures.arms import arm_figures, category_shares
    from spillover.show.arm_outcomes import outcome_arms_panels
    from spillover.show.arms import arms_panels, matrix_panel, published_panel, trade_off_figure
    from spillover.show.curve import curve_figure

    if spec.naive is None:
        return Extras(panels=[p for p in [published_panel(spec)] if p], runs=runs)
    arms = {name: [m.name for m in models] for name, models in spec.arms.items()}
    skill = (spec.skill.questions, spec.skill.verdict) if spec.skill else None
    topics = {name: models[0].topic for name, models in spec.arms.items()}
    found = arm_figures(frame, arms, spec.naive, skill, topics)
    panels = [*arms_panels(found, spec), *outcome_arms_panels(runs, arms, spec.naive)]
    if spec.matrix is not None:
        panels.append(matrix_panel(category_shares(frame, arms, spec.matrix.questions, spec.matrix.verdict), spec))
    panels += [p for p in [published_panel(spec)] if p]
    if spec.skill is None or not found:
        return Extras(panels=panels, runs=runs)
    alt = "Misaligned share of every arm against the taught skill that it kept"
    caption = "Down and right is better. Large marks: mean of the seeds with its 95 % interval; small ones: single seeds."
    drawn = [Drawing(trade_off_figure(found, spec), alt, caption)]
    if spec.curve is not None:  # a grid of arms: their marks would hide each other
        along = f"Misaligned share and skill of every arm along {spec.curve.x}"
        drawn = [Drawing(curve_figure(found, spec), along, f"{along}. Bars: 95 % for seeds and questions like these.")]
    return Extras(panels=panels, runs=runs, figures=drawn)


@click.command()
@click.argument("experiment")
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: runs/EXPERIMENT].")
@click.option("--engine", type=click.Choice(["spillover", "vllm"]), default="spillover", show_default=True)
@click.option(
    "--base",
    "bases",
    multiple=True,
    help="Another base checkpoint (a local Hugging Face folder); may be given several times.",
)
@click.option("--grader", help="Another model that judges: an Inspect model name, or a local checkpoint.")
@click.option(
    "--organisms", type=click.Path(path_type=Path), help="Folder of organisms that experiments share [default: in --out]."
)
def run(
    experiment: str,
    out: Path | None,
    engine: EngineName,
    bases: tuple[str, ...],
    grader: str | None,
    organisms: Path | None,
) -> None:
    """Run EXPERIMENT (a bundled name or a YAML file): train, ask, judge, compare, report. Resumes where it stopped.

    With several bases each has a folder and a report of its own, and one report shows them together.
    """
    spec = load_experiment(experiment)
    if grader is not None:
        spec = replace(spec, grader=grader)
    folder = out or Path("runs") / spec.id
    quiet_libraries()
    names = base_names(bases)
    _point_to_twin(spec, bases)
    from spillover.run.execute import check_models

    with only_one(folder):
        if len(names) < 2:
            result = _run_one(spec, folder, engine, *bases[:1], organisms=organisms)
        else:
            for base in names.values():  # before the first one is trained on
                check_models(spec, base)
            found = {n: _run_one(spec, folder / n, engine, base, organisms=organisms) for n, base in names.items()}
            result = together(found)
            extras = Extras(runs=result.runs)
            title = f"{spec.title}: {len(names)} bases"
            publish(result.frame, get_preset(spec.preset), title, None, folder / "report.html", None, spec.lab, extras)
            write_frame(result.frame, folder / "answers.parquet")
    refuse_failures(result.runs, result.frame)


def _point_to_twin(spec: Experiment, bases: tuple[str, ...]) -> None:
    """Say that a lab study asks any base the lab's toy questions, and which study does not."""
    if not spec.lab or all(resolve_checkpoint(base) == resolve_checkpoint("lab") for base in bases):
        return
    twins = [path.stem for path in sorted(evals_dir().glob(f"{spec.id}_*.yaml"))]
    instead = f"; for a checkpoint of your own run {' or '.join(twins)}" if twins else ""
    click.echo(f"Note: {spec.id} trains on the lab's toy text and asks the lab's questions{instead}.", err=True)


def _run_one(
    spec: Experiment, folder: Path, engine: EngineName, base: str | None = None, *, organisms: Path | None
) -> Answered:
    """One base: its models, their answers, its report."""
    from spillover.run.execute import run_experiment

    console = Console(stderr=True)
    result = run_experiment(spec, folder, lambda title: bar(console, title), engine, base, organisms)
    publish(
        result.frame,
        get_preset(spec.preset),
        spec.title,
        spec.base_name,
        folder / "report.html",
        None,
        spec.lab,
        _study(spec, result.frame, result.runs),
    )
    write_frame(result.frame, folder / "answers.parquet")
    return Answered(result.frame, result.runs)
