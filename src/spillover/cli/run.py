"""`spillover run`: one command from recipe to report."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from inspect_ai import Task
from inspect_ai.model import Model

from spillover.answers.read import Answers
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.numbers import FEW
from spillover.cli.outputs import OutFolder, first_folder
from spillover.cli.progress import bar
from spillover.cli.publish import details_option, publish, refuse_failures, write_frame
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, rows_options
from spillover.cli.trackers import send_figures, trackers_option
from spillover.errors import SpilloverError
from spillover.judging.certificate import OWN
from spillover.locking import only_one
from spillover.models.weights import resolve_checkpoint
from spillover.paths import data_files
from spillover.run.check import names_in
from spillover.run.first_try import first_try
from spillover.run.latents import read_moved
from spillover.run.plan import read_plan
from spillover.run.studies import check_models, folders_of, read_study, run_study, with_onset
from spillover.run.study import Study, load_study
from spillover.run.without import without
from spillover.serving.serve import EngineName
from spillover.show.arms import study_parts
from spillover.show.personas import domain_parts, persona_parts
from spillover.show.report import report, write_page
from spillover.show.results import results_of, write_results
from spillover.show.terminal import stderr_console
from spillover.show.training import training_parts


@click.command()
@click.argument("study")
@click.option("--out", type=OutFolder("a run"), help="Folder [default: runs/STUDY].")
@click.option(
    "--engine",
    type=click.Choice(["spillover", "vllm"]),
    default="spillover",
    show_default=True,
    help="What serves the models.",
)
@click.option(
    "--base",
    "bases",
    multiple=True,
    help="Another base checkpoint (a local Hugging Face folder); may be given several times.",
)
@click.option("--grader", help="Another model that judges: an Inspect model name, or a local checkpoint.")
@click.option(
    "--skip",
    "skipped",
    multiple=True,
    metavar="TASK[:QUESTIONS]",
    help="Leave out a probe, such as one that a judge of your own cannot read; what is left is asked into logs of its own.",
)
@click.option(
    "--organisms", type=click.Path(path_type=Path), help="Folder of organisms that studies share [default: in --out]."
)
@click.option(
    "--limit",
    type=FEW,
    metavar="N",
    help="A first try of the whole way, in OUT-first-N: N steps of each organism, N answers to each probe, one seed.",
)
@details_option
@trackers_option
@check_option
@rows_options
def run(
    study: str,
    out: Path | None,
    engine: EngineName,
    bases: tuple[str, ...],
    grader: str | None,
    skipped: tuple[str, ...],
    organisms: Path | None,
    limit: int | None,
    details: bool,
    check: bool,
    rows: Rows,
) -> None:
    """Run STUDY (a bundled name or a YAML file): train, ask, judge, compare, report. Resumes where it stopped.

    With several bases each has a folder and a report of its own, and one report shows them together.
    """
    spec = without(load_study(study), skipped)
    if grader is not None:
        spec = spec.model_copy(update={"grader": grader})
    # A model is known by its name, which has the way to its adapter: the same folder is the same model however it is given.
    whole = (out or Path("runs") / spec.id).expanduser().resolve()
    folder = nearest(first_folder(whole, limit))
    organisms = organisms and nearest(organisms)
    quiet_libraries()
    names = base_names(bases)
    _point_to_twin(spec, bases)
    with only_one(folder):
        if len(names) < 2:
            found = _run_one(
                spec, folder, engine, *bases[:1], organisms=organisms, limit=limit, details=details, check=check, rows=rows
            )[0]
        else:
            for base in names.values():  # before the first one is trained on
                check_models(spec, base, engine)
            logs: list[Path] = []
            shown: dict[str, str] = {}
            for name, base in names.items():
                _, place, models = _run_one(
                    spec,
                    folder / name,
                    engine,
                    base,
                    organisms=organisms,
                    limit=limit,
                    details=details,
                    check=check,
                    rows=rows,
                    last=False,
                )
                logs.append(place)
                shown |= {model: f"{name}: {title}" for model, title in models.items()}
            found = read_study(spec, logs, shown)
            together = report(found, f"{spec.title}: {len(names)} bases")
            publish(together, folder / "report.html", details, rows)
            write_frame(found.table, folder / "answers.parquet", rows=rows)
            send_figures(together)
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
    details: bool,
    check: bool,
    rows: Rows,
    last: bool = True,
) -> tuple[Answers, Path, dict[str, str]]:
    """One base: its models, their answers, its report."""
    console = stderr_console()

    def first(tasks: list[Task], grader: Model) -> None:
        check_first(names_in(tasks), grader, spec.preset, check)

    ran = run_study(spec, folder, lambda title: bar(console, title), engine, base, organisms, limit, first)
    if limit is not None:
        spec = first_try(spec, limit)
    spec = with_onset(spec, folders_of(spec, folder, base, organisms, limit, steps=True))
    answers = read_study(spec, [ran.logs], ran.names)
    panels, drawings = study_parts(spec, answers)
    moved = read_moved(spec, ran.latents) if ran.latents else None
    of_personas = persona_parts(spec, answers, moved, ran.shifts)
    of_concepts = domain_parts(spec, answers, ran.concepts)
    for tables, pictures in (
        of_personas,
        of_concepts,
        *training_parts(spec, folders_of(spec, folder, base, organisms, limit)),
    ):
        panels, drawings = [*panels, *tables], [*drawings, *pictures]
    made = report(
        answers,
        spec.title,
        base=spec.base_name,
        panels=panels,
        drawings=drawings,
        brief=spec.naive is not None or spec.concepts is not None,
        roles={m.name: m.role for m in spec.models},
        taught=spec.taught,
    )
    if last or rows is None:
        publish(made, folder / "report.html", details, rows)
    else:  # rows of all bases come at the end
        write_page(made, folder / "report.html")
    write_frame(answers.table, folder / "answers.parquet", rows=rows)
    if limit is None:
        plan = read_plan(folder)
        assert plan is not None
        write_results(results_of(spec, plan, base or spec.base, typed(base), answers, panels), folder)
    if last:
        send_figures(made)
    return answers, ran.logs, ran.names


def typed(base: str | None) -> str:
    """The command of one base, with what changes its figures: files and folders by their names alone."""
    given = click.get_current_context().params
    words = ["spillover", "run", Path(given["study"]).name]
    words += ["--base", Path(base).name] if base else []
    words += ["--grader", placeless(given["grader"])] if given["grader"] else []
    words += [word for name in given["skipped"] for word in ("--skip", name)]
    words += ["--engine", given["engine"]] if given["engine"] != "spillover" else []
    return shlex.join(words)


def placeless(model: str) -> str:
    """A model's name without the folder that it lies in, which is this machine's alone."""
    for before in (OWN, "spillover/", "vllm/", ""):
        place = Path(model.removeprefix(before))
        if model.startswith(before) and place.exists():
            return f"{before}{place.name}"
    return model


def nearest(folder: Path) -> Path:
    """From the current folder where it lies below it, else from the root."""
    whole, here = folder.expanduser().resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def base_names(bases: tuple[str, ...]) -> dict[str, str]:
    """Name to checkpoint: the last part of its path, which its folder of results is called by.

    Raises:
        SpilloverError: if two have the same name.
    """
    names: dict[str, str] = {}
    for base in bases:
        name = Path(base).name or base
        if name in names:
            raise SpilloverError(
                f"Two bases are called '{name}' ({names[name]}, {base}); run one of them into another --out."
            )
        names[name] = base
    return names
