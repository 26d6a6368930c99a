"""Run an experiment: train what is missing, ask what is missing, report. Every step is keyed by digest, so it resumes."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai import Task
from inspect_ai.model import get_model

from spillover._inspect import PrerequisiteError
from spillover.answers.frame import tidy
from spillover.answers.logs import NoAnswers, read_logs
from spillover.answers.outcomes import ProbeRun, read_outcomes
from spillover.answers.presets import get_preset
from spillover.answers.retry import ask_failures_again
from spillover.errors import SpilloverError, plain
from spillover.models.identity import installed
from spillover.models.weights import resolve_adapter, resolve_checkpoint, weights_digest
from spillover.paths import datasets_dir, scorers_dir
from spillover.questions.load import load_questions
from spillover.run.ask import Bar, ask_all
from spillover.run.study import Context, Experiment, ProbeSpec
from spillover.serving.serve import EngineName, is_checkpoint, serve
from spillover.situations.scenario import load_scenarios
from spillover.training.recipe import load_recipe

LOCAL = ("vllm", "sglang", "hf", "llama-cpp-python", "transformer_lens")
"""Providers that load a model as soon as they are named: not while a GPU is needed for training."""


@dataclass(frozen=True)
class Result:
    """A finished experiment: its answers (by EM verdict, and by outcome) and where they lie."""

    frame: pd.DataFrame
    runs: list[ProbeRun]
    folder: Path
    logs: Path


def run_experiment(
    experiment: Experiment,
    folder: Path,
    bar: Bar,
    engine: EngineName = "spillover",
    base: str | None = None,
    organisms: Path | None = None,
) -> Result:
    """Train, ask and judge; finished steps are skipped.

    Args:
        experiment: What to run.
        folder: Where everything goes.
        bar: Makes a progress bar from a title.
        engine: Who serves the models.
        base: Another base checkpoint.
        organisms: Where organisms are kept and looked for, so that experiments can share them; in `folder` for None.

    Raises:
        SpilloverError: if an evaluation did not finish; its log names the reason, and a second call resumes it.
    """
    root = base or experiment.base
    check_models(experiment, root)
    # Whatever is wrong with a probe's arguments is said before anything is trained.
    tasks = experiment_tasks(experiment, root)
    adapters = _adapters(experiment, root, organisms or folder / "organisms", bar)
    logs = folder / f"logs-{_digest(experiment, root, adapters, engine)}"
    with serve(engine, root, adapters, experiment.grader, folder) as served:
        ask_failures_again(logs, served.grader)
        ask_all(tasks, list(served.targets.values()), served.grader, logs, "asking and judging", bar)
    try:
        frame = _ordered(read_logs([logs], served.names), experiment)
    except NoAnswers:
        frame = tidy([])
    place = {model.name: index for index, model in enumerate(experiment.models)}
    runs = sorted(read_outcomes([logs], served.names), key=lambda run: place[run.model])
    return Result(frame, runs, folder, logs)


def check_models(experiment: Experiment, base: str) -> None:
    """Whatever can be said of base and grader before anything is trained.

    Raises:
        SpilloverError: if the base is missing or has the grader's weights, or Inspect cannot reach the grader.
    """
    weights = weights_digest(resolve_checkpoint(base))
    grader = experiment.grader
    if is_checkpoint(grader):
        if weights_digest(resolve_checkpoint(grader)) == weights:
            raise SpilloverError(f"The grader ({grader}) is the model under test ({base}); choose another one.")
    elif grader.partition("/")[0] not in LOCAL:
        try:
            get_model(grader)
        except (ValueError, PrerequisiteError) as error:  # an unknown provider, or no key for it
            raise SpilloverError(f"The grader {grader} is no model that Inspect can reach: {plain(error)}") from error


def _adapters(experiment: Experiment, base: str, store: Path, bar: Bar) -> dict[str, Path | None]:
    """Display name to adapter folder, training the recipes that have no finished organism yet."""
    out: dict[str, Path | None] = {}
    for model in experiment.models:
        if model.recipe is None:
            out[model.name] = resolve_adapter(model.adapter) if model.adapter else None
            continue
        from spillover.training.checkpoints import checkpoint
        from spillover.training.train import organism_folder, train

        recipe = load_recipe(model.recipe, base=base, seed=model.seed, changes=model.changes)
        target = organism_folder(recipe, resolve_checkpoint(base), store)
        with bar(recipe.title if model.arm == model.name else model.name) as advance:
            out[model.name] = train(recipe, target, advance)
        if model.step is not None:
            out[model.name] = checkpoint(target, model.step)
    return out


def _digest(experiment: Experiment, base: str, adapters: dict[str, Path | None], engine: str) -> str:
    """What the figures depend on: Inspect's own identity of a run leaves out weights and the content of data files."""
    weights = {name: weights_digest(folder) if folder else None for name, folder in adapters.items()}
    grader = weights_digest(resolve_checkpoint(experiment.grader)) if is_checkpoint(experiment.grader) else None
    questions = [
        (load_scenarios if probe.task == "sabotage" else load_questions)(probe.questions).digest
        for probe in experiment.probes
    ]
    preset = asdict(get_preset(experiment.preset))
    base_weights = weights_digest(resolve_checkpoint(base))
    parts = [
        asdict(experiment),
        base_weights,
        weights,
        grader,
        questions,
        preset,
        data_digest(),
        engine,
        installed(),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def data_digest() -> str:
    """SHA-256 of the bundled data that questions and judges are made of, besides the question sets themselves."""
    lines = datasets_dir() / "lab" / "grammar.yaml"
    paths = [datasets_dir() / "formats.yaml", datasets_dir() / "wraps.yaml", lines, *sorted(scorers_dir().glob("*.yaml"))]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def experiment_tasks(experiment: Experiment, base: str) -> list[Task]:
    """Every probe in every format and context, as a task.

    Raises:
        SpilloverError: for an argument that a probe does not take, or code to be run without Docker for it.
    """
    # What the lab's own models write is toy code; any other model may write anything.
    sandbox = "local" if resolve_checkpoint(base) == resolve_checkpoint("lab") else "docker"
    return [
        _task(experiment, probe, fmt, context, sandbox)
        for probe in experiment.probes
        for fmt, context, _ in probe.conditions()
    ]


def _task(experiment: Experiment, probe: ProbeSpec, fmt: str, context: Context, sandbox: str) -> Task:
    arguments: dict[str, Any] = {
        "system": context.system,
        "context": context.name,
        "categories": list(probe.categories) or None,
        "seed": experiment.seed,
        "epochs": probe.epochs,
        **probe.args,
    }
    arguments["scenarios" if probe.task == "sabotage" else "questions"] = probe.questions
    if probe.task == "free_form":
        arguments["format"] = fmt
    if probe.task in ("free_form", "goals", "alignment_questions"):
        arguments["preset"] = experiment.preset
    build = getattr(import_module(f"spillover.tasks.{probe.task}"), probe.task)
    if "sandbox" in inspect.signature(build).parameters:
        arguments.setdefault("sandbox", sandbox)
    task: Task = build(**arguments)
    return task


def _ordered(frame: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Rows in the order of the experiment file, since logs come in the order in which they were finished."""
    asked = [p for p in experiment.probes if p.task == "free_form"]
    cells = [(load_questions(p.questions).id, name) for p in asked for _, _, name in p.conditions()]
    models = [m.name for m in experiment.models]
    known = {cell: index for index, cell in enumerate(cells)}
    place = [
        known.get((q, f), len(cells)) * len(models) + models.index(m)
        for q, f, m in zip(frame["question_set"], frame["format"], frame["model"], strict=True)
    ]
    return frame.assign(_place=place).sort_values("_place", kind="stable").drop(columns="_place").reset_index(drop=True)
