"""`spillover eval`: a suite of probes on one checkpoint, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
from inspect_ai.model import GenerateConfig

from spillover.answers.cast import made_cast
from spillover.answers.presets import get_preset
from spillover.answers.read import read, short_names
from spillover.cli.judge_check import check_first, check_option
from spillover.cli.models import grader_option, model_option, open_models
from spillover.cli.numbers import FEW, MANY, SECONDS, SEED
from spillover.cli.outputs import OutFolder, first_folder
from spillover.cli.progress import bar
from spillover.cli.publish import details_option, frame_of, publish, refuse_failures, write_frame
from spillover.cli.quiet import quiet_libraries
from spillover.cli.rows import Rows, rows_options
from spillover.cli.trackers import send_figures, trackers_option
from spillover.errors import SpilloverError
from spillover.locking import only_one
from spillover.models.checks import LAB_GRADER, is_lab, refuse_self_grading
from spillover.run.check import names_in, reader_in
from spillover.run.plan import read_plan
from spillover.run.suite import bundled_suites, load_suite, suite_specs
from spillover.run.suites import run_suite
from spillover.show.report import report
from spillover.show.terminal import stderr_console


@click.command("eval")
@click.argument("model")
@click.option("--suite", default="quick", show_default=True, help=f"{', '.join(bundled_suites())}, or a YAML file.")
@click.option("--base", help="Model before the fine-tune; the report then shows drift.")
@click.option("--grader", help=f"Model that judges [default for the lab: {LAB_GRADER}].")
@click.option("--out", type=OutFolder("a run"), help="Folder [default: runs/eval-SUITE].")
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Of sampling; the same seed gives the same answers where the engine can.",
)
@click.option("--skip", multiple=True, help="Leave a probe out; may be given several times.")
@click.option("--sandbox", type=click.Choice(["docker", "local"]), help="Where code that the model wrote is run.")
@click.option("--lab/--no-lab", "lab", default=None, help="Ask the lab's own questions [default: if MODEL is the lab's].")
@click.option("--max-tokens", type=MANY, help="Longest answer [default: 600, as published].")
@click.option(
    "--limit",
    type=FEW,
    metavar="N",
    help="A first try of the whole way, in OUT-first-N: N short answers to each probe.",
)
@click.option("--preset", default="spillover", show_default=True, help="Thresholds that make the outcomes.")
@click.option("--timeout", type=SECONDS, help="Seconds until a call of the grader is given up, retries included.")
@model_option
@grader_option
@details_option
@trackers_option
@check_option
@rows_options
def eval_command(
    model: str,
    suite: str,
    base: str | None,
    grader: str | None,
    out: Path | None,
    seed: int,
    skip: tuple[str, ...],
    sandbox: Literal["docker", "local"] | None,
    lab: bool | None,
    max_tokens: int | None,
    limit: int | None,
    preset: str,
    timeout: int | None,
    model_arg: tuple[str, ...],
    grader_arg: tuple[str, ...],
    details: bool,
    check: bool,
    rows: Rows,
) -> None:
    """Ask MODEL (an Inspect model name, such as vllm/BASE:ADAPTER) every probe of a suite. Resumes where it stopped."""
    quiet_libraries()
    chosen = load_suite(suite)
    get_preset(preset)
    synthetic = is_lab(model) if lab is None else lab
    if grader is None and not synthetic:
        raise SpilloverError("Name the model that judges: --grader openai/gpt-4o-2024-08-06, or any other Inspect model.")
    if base == model:
        raise SpilloverError("The base is the model itself; there is no drift to measure.")
    targets = open_models([*([base] if base else []), model], model_arg)
    (judge,) = open_models([grader or LAB_GRADER], grader_arg, GenerateConfig(timeout=timeout))
    for target in targets:
        refuse_self_grading(target, judge)
    if synthetic and not is_lab(model):
        sandbox = sandbox or "docker"  # the lab's questions, answered by a model that may write anything
    length = {"max_tokens": max_tokens, "epochs": None if limit is None else 1}
    specs = [s.given(seed=seed, sandbox=sandbox, preset=preset, **length) for s in suite_specs(chosen, synthetic, skip)]
    tasks = [spec.build() for spec in specs]
    whole = out or Path("runs") / f"eval-{chosen.id}"
    folder = first_folder(whole, limit)
    names = short_names([str(t) for t in targets])
    _refuse_other_models(folder, [str(t) for t in targets])
    console = stderr_console()

    def measured() -> object:
        return check_first(names_in(tasks), judge, preset, check, reader_in(specs))

    with only_one(folder):
        shown = names[base] if base else None
        cast = made_cast(names, base=shown)
        logs = run_suite(chosen, specs, tasks, targets, judge, folder, lambda t: bar(console, t), measured, limit, cast)
    answers = read([logs], names=names)
    title = f"{chosen.title}: {names[str(targets[-1])]}"
    if limit is not None:
        title = f"{title} (a first try of {limit} answers a probe: its figures say nothing)"
    made = report(answers, title, base=shown)
    publish(made, folder / "report.html", details, rows)
    write_frame(frame_of(made), folder / "figures.csv", "Figures", rows)
    send_figures(made)
    refuse_failures(answers)


def _refuse_other_models(folder: Path, models: list[str]) -> None:
    """A report of other models in the same folder would be lost.

    Raises:
        SpilloverError: naming them.
    """
    plan = read_plan(folder)
    before = [step.spec.get("models") for step in plan.steps] if plan is not None else []
    if before and before[0] != models:
        raise SpilloverError(f"{folder} holds the answers of {', '.join(before[0] or [])}; name another folder with --out.")
