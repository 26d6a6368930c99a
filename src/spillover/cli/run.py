"""`spillover run`: one command from recipe to report."""

from __future__ import annotations

from pathlib import Path

import click
from inspect_ai import Task
from inspect_ai.model import Model
from rich.console import Console

from spillover.answers.read import Answers
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.progress import bar
from spillover.cli.publish import publish, refuse_failures, write_frame
from spillover.cli.quiet import quiet_libraries
from spillover.locking import only_one
from spillover.models.weights import resolve_checkpoint
from spillover.paths import data_files
from spillover.run.check import names_in
from spillover.run.studies import base_names, check_models, first_try, folders_of, read_study, run_study, with_onset
from spillover.run.study import Study, load_study
from spillover.serving.serve import EngineName
from spillover.show.arms import study_parts
from spillover.show.report import report
from spillover.show.training import training_parts


@click.command()
@click.argument("study")
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: runs/STUDY].")
@click.option("--engine", type=click.Choice(["spillover", "vllm"]), default="spillover", show_default=True)
@click.option(
    "--base",
    "bases",
    multiple=True,
    help="Another base checkpoint (a local Hugging Face folder); may be given several times.",
)
@click.option("--grader", help="Another model that judges: an Inspect model name, or a local checkpoint.")
@click.option(
    "--organisms", type=click.Path(path_type=Path), help="Folder of organisms that studies share [default: in --out]."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="A first try of the whole way, in OUT-first-N: N steps of each organism, N answers to each probe, one seed.",
)
@check_option
def run(
    study: str,
    out: Path | None,
    engine: EngineName,
    bases: tuple[str, ...],
    grader: str | None,
    organisms: Path | None,
    limit: int | None,
    check: bool,
) -> None:
    """Run STUDY (a bundled name or a YAML file): train, ask, judge, compare, report. Resumes where it stopped.

    With several bases each has a folder and a report of its own, and one report shows them together.
    """
    spec = load_study(study)
    if grader is not None:
        spec = spec.model_copy(update={"grader": grader})
    folder = out or Path("runs") / spec.id
    if limit is not None:  # beside a whole run, never over it
        folder = folder.with_name(f"{folder.name}-first-{limit}")
    quiet_libraries()
    names = base_names(bases)
    _point_to_twin(spec, bases)
    with only_one(folder):
        if len(names) < 2:
            found = _run_one(spec, folder, engine, *bases[:1], organisms=organisms, limit=limit, check=check)[0]
        else:
            for base in names.values():  # before the first one is trained on
                check_models(spec, base, engine)
            logs: list[Path] = []
            shown: dict[str, str] = {}
            for name, base in names.items():
                _, place, models = _run_one(spec, folder / name, engine, base, organisms=organisms, limit=limit, check=check)
                logs.append(place)
                shown |= {model: f"{name}: {title}" for model, title in models.items()}
            found = read_study(spec, logs, shown)
            publish(report(found, f"{spec.title}: {len(names)} bases"), folder / "report.html")
            write_frame(found.table, folder / "answers.parquet")
    refuse_failures(found)


def _point_to_twin(spec: Study, bases: tuple[str, ...]) -> None:
    """Say that a lab study asks any base the lab's toy questions, and which study does not."""
    if not spec.lab or all(resolve_checkpoint(base) == resolve_checkpoint("lab") for base in bases):
        return
    twins = [path.stem for path in data_files("evals", f"{spec.id}_*.yaml")]
    instead = f"; for a checkpoint of your own run {' or '.join(twins)}" if twins else ""
    click.echo(f"Note: {spec.id} trains on the lab's toy text and asks the lab's questions{instead}.", err=True)


def _run_one(
    spec: Study,
    folder: Path,
    engine: EngineName,
    base: str | None = None,
    *,
    organisms: Path | None,
    limit: int | None,
    check: bool,
) -> tuple[Answers, Path, dict[str, str]]:
    """One base: its models, their answers, its report."""
    console = Console(stderr=True)

    def first(tasks: list[Task], grader: Model) -> None:
        check_first(names_in(tasks), grader, spec.preset, check)

    logs, names = run_study(spec, folder, lambda title: bar(console, title), engine, base, organisms, limit, first)
    if limit is not None:
        spec = first_try(spec, limit)
    spec = with_onset(spec, folders_of(spec, folder, base, organisms, limit, steps=True))
    answers = read_study(spec, [logs], names)
    panels, drawings = study_parts(spec, answers)
    for tables, pictures in training_parts(spec, folders_of(spec, folder, base, organisms, limit)):
        panels, drawings = [*panels, *tables], [*drawings, *pictures]
    made = report(answers, spec.title, base=spec.base_name, panels=panels, drawings=drawings)
    publish(made, folder / "report.html")
    write_frame(answers.table, folder / "answers.parquet")
    return answers, logs, names
