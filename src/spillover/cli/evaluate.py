"""`spillover eval`: a suite of probes on one checkpoint, in one command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click
import pandas as pd
from inspect_ai import Task
from inspect_ai.model import GenerateConfig, Model, get_model
from rich.console import Console

from spillover.answers.external import OtherScore, read_others
from spillover.answers.frame import tidy, with_preset
from spillover.answers.logs import NoAnswers, read_logs, short_names
from spillover.answers.outcomes import ProbeRun, read_outcomes
from spillover.answers.presets import get_preset
from spillover.answers.retry import ask_failures_again
from spillover.cli.progress import bar
from spillover.cli.quiet import quiet_libraries
from spillover.cli.report import Extras, publish, refuse_failures
from spillover.errors import SpilloverError
from spillover.locking import only_one
from spillover.models.checks import LAB_GRADER, is_lab, refuse_self_grading
from spillover.models.identity import describe, installed
from spillover.run.ask import ask_all
from spillover.run.execute import data_digest
from spillover.run.suite import Suite, bundled_suites, load_suite, suite_tasks


@click.command("eval")
@click.argument("model")
@click.option("--suite", default="quick", show_default=True, help=f"{', '.join(bundled_suites())}, or a YAML file.")
@click.option("--base", help="Model before the fine-tune; the report then shows drift.")
@click.option("--grader", help=f"Model that judges [default for the lab: {LAB_GRADER}].")
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: runs/eval-SUITE].")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--skip", multiple=True, help="Leave a probe out; may be given several times.")
@click.option("--sandbox", type=click.Choice(["docker", "local"]), help="Where code that the model wrote is run.")
@click.option("--lab/--no-lab", "lab", default=None, help="Ask the lab's own questions [default: if MODEL is the lab's].")
@click.option("--preset", default="spillover", show_default=True, help="Thresholds of the EM verdicts.")
@click.option(
    "--timeout", type=click.IntRange(min=1), help="Seconds until a call of the grader is given up, retries included."
)
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
    preset: str,
    timeout: int | None,
) -> None:
    """Ask MODEL (an Inspect model name, such as vllm/BASE:ADAPTER) every probe of a suite. Resumes where it stopped."""
    quiet_libraries()
    chosen, thresholds = load_suite(suite), get_preset(preset)
    synthetic = is_lab(model) if lab is None else lab
    if grader is None and not synthetic:
        raise SpilloverError("Name the model that judges: --grader openai/gpt-4o-2024-08-06, or any other Inspect model.")
    if base == model:
        raise SpilloverError("The base is the model itself; there is no drift to measure.")
    try:
        targets = [get_model(name) for name in ([base] if base else []) + [model]]
        judge = get_model(grader or LAB_GRADER, config=GenerateConfig(timeout=timeout))
    except ValueError as error:  # a provider that Inspect does not know
        raise SpilloverError(f"This is no model that Inspect can reach: {error}") from error
    for target in targets:
        refuse_self_grading(target, judge)
    if synthetic and not is_lab(model):
        sandbox = sandbox or "docker"  # the lab's questions, answered by a model that may write anything
    tasks = suite_tasks(chosen, synthetic, seed, skip, sandbox, preset)
    folder = out or Path("runs") / f"eval-{chosen.id}"
    names = short_names({str(t) for t in targets})
    logs = folder / f"logs-{_digest(chosen, tasks, targets, judge, seed)}"
    logs.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with only_one(folder):
        ask_failures_again(logs, judge)
        ask_all(tasks, targets, judge, logs, f"suite {chosen.id}", lambda title: bar(console, title))
    runs, others = read_outcomes([logs], names), read_others([logs], names)
    try:
        frame = with_preset(read_logs([logs], names), thresholds)
    except NoAnswers:
        frame = tidy([])
    title = f"{chosen.title}: {names[str(targets[-1])]}"
    extras = Extras(runs=runs, others=others)
    publish(frame, thresholds, title, names[base] if base else None, folder / "report.html", None, synthetic, extras)
    _write_figures(runs, others, frame, names[base] if base else None, folder / "figures.csv")
    refuse_failures(runs, frame)


def _digest(suite: Suite, tasks: list[Task], targets: list[Model], grader: Model, seed: int) -> str:
    """What the figures depend on, so that a changed suite, model or question set gets logs of its own."""
    asked = [[t.name, t.metadata, str(t.epochs), sorted(str(s.id) for s in t.dataset)] for t in tasks]
    who = [describe(m) for m in (*targets, grader)]
    versions = [t.version for t in tasks]
    entries = [[asdict(e), None if e.ours else _version(e.task)] for e in suite.entries]
    parts = [suite.id, suite.version, entries, asked, versions, who, seed, data_digest(), installed()]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _version(task: str) -> str | None:
    """Of the package that another one's task is from; None for one that nobody installed as such."""
    try:
        return version(task.partition("/")[0])
    except PackageNotFoundError:
        return None


def _write_figures(
    runs: Sequence[ProbeRun], others: Sequence[OtherScore], frame: pd.DataFrame, base: str | None, path: Path
) -> None:
    from spillover.figures.table import figures_frame

    figures_frame(runs, frame, base, others).to_csv(path, index=False)
    click.echo(f"Figures: {path}")
