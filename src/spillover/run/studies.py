"""Run a study: train what is missing, ask what is missing, read. Every step is keyed by digest, so it resumes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from inspect_ai import Task
from inspect_ai.model import Model, get_model

from spillover._inspect import PrerequisiteError
from spillover.answers.cast import made_cast
from spillover.answers.presets import get_preset
from spillover.answers.read import Answers, read
from spillover.answers.retry import ask_failures_again
from spillover.engine.calls import require_tools
from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError, plain
from spillover.models.identity import describe, installed
from spillover.models.weights import resolve_adapter, resolve_checkpoint, weights_digest
from spillover.questions.load import load_questions
from spillover.run.ask import Bar, ask_all
from spillover.run.between import between_all
from spillover.run.concepts import find_likeness
from spillover.run.early import LOCAL, require_judge
from spillover.run.fingerprint import require_same
from spillover.run.first_try import first_try, with_arms
from spillover.run.latents import REVISION, changes_of, check_latents, find_latents
from spillover.run.plan import Plan, Step, digest
from spillover.run.prediction import check_prediction, find_shifts
from spillover.run.study import ModelSpec, Study
from spillover.run.tasks import TaskSpec, identity
from spillover.serving.serve import EngineName, is_checkpoint, serve
from spillover.situations.scenario import load_scenarios
from spillover.training.checkpoints import ONSET
from spillover.training.first_try import first_steps
from spillover.training.recipe import Recipe, load_recipe

logger = logging.getLogger(__name__)


def study_specs(study: Study, base: str) -> list[TaskSpec]:
    """Every probe in every format and context."""
    # What the lab's own models write is toy code; any other model may write anything.
    sandbox = "local" if resolve_checkpoint(base) == resolve_checkpoint("lab") else "docker"
    out = []
    for probe in study.probes:
        for fmt, context in probe.conditions():
            spec = TaskSpec(task=probe.task, args={probe.probe.source: probe.questions, "epochs": probe.epochs})
            spec = spec.given(
                preset=study.preset, sandbox=sandbox, seed=study.seed, categories=list(probe.categories) or None
            )
            spec = spec.given(system=context.system, context=context.name, format=fmt if fmt != "plain" else None)
            out.append(spec.model_copy(update={"args": {**spec.args, **probe.args}}))
    return out


def _recipe(made: Mapping[str, Any]) -> Recipe:
    """The recipe of a training step."""
    recipe = load_recipe(made["recipe"], made["base"], made["seed"], dict(made["changes"]))
    return first_steps(recipe, made["limit"]) if made.get("limit") else recipe


def study_plan(
    study: Study, base: str, engine: EngineName, specs: list[TaskSpec], tasks: list[Task], limit: int | None = None
) -> Plan:
    """Training steps, one for every recipe and seed, and one step that asks all models."""
    from spillover.training.train import organism_key

    plan, root = Plan(id=study.id), resolve_checkpoint(base)
    models: dict[str, dict[str, Any]] = {}
    for model in study.models:
        models[model.name] = {"adapter": model.adapter, "step": model.step}
        if model.recipe is not None:
            made = {"recipe": model.recipe, "base": base, "seed": model.seed, "changes": dict(model.changes)}
            made |= {"limit": limit} if limit else {}
            key = organism_key(_recipe(made), root)
            plan = plan.then(Step(kind="train", name=model.name, key=key, spec=made))
            models[model.name]["made_by"] = key
    for model in study.models:
        if model.between is not None:
            ends = [study.end(model, name) for name in model.between]
            models[model.name] |= {"between": [end and end.name for end in ends], "at": model.at}
        if model.steer is not None and study.latents is not None:
            settings = {**study.latents.model_dump(mode="json"), "revision": REVISION}
            models[model.name] |= {"steer": study.steered(model).name, "latent": model.latent}
            models[model.name] |= {"strength": model.strength, **settings}
    given = {m.name: weights_digest(resolve_adapter(m.adapter)) for m in study.models if m.adapter}
    grader: Any = weights_digest(resolve_checkpoint(study.grader)) if is_checkpoint(study.grader) else study.grader
    if study.grader.startswith("spillover/"):  # a judge that was trained again under its old name is another one
        grader = [study.grader, describe(get_model(study.grader, memoize=False))["weights"]]
    asked: list[Any] = [models, given, weights_digest(root), grader, identity(tasks, specs), engine, installed()]
    asked += [limit] if limit else []
    spec = {"models": models, "base": base, "grader": study.grader, "engine": engine}
    step = Step(
        kind="ask",
        name="asking and judging",
        key=digest(asked, get_preset(study.preset).model_dump()),
        needs=tuple(step.key for step in plan.steps),
        spec={**spec, "tasks": [s.model_dump() for s in specs]},
    )
    return plan.then(step)


class Ran(NamedTuple):
    """What a run left.

    Attributes:
        logs: Folder of the logs.
        names: Inspect's model name to the name to show.
        latents: Folder of the study's latents, where it has any.
        shifts: Kind of shift to model to its shift, where it predicts.
        concepts: Layer to the likeness of domains, where it compares them.
    """

    logs: Path
    names: dict[str, str]
    latents: Path | None
    shifts: dict[str, dict[str, float]]
    concepts: dict[str, list[list[float]]]


def run_study(
    study: Study,
    folder: Path,
    bar: Bar,
    engine: EngineName = "spillover",
    base: str | None = None,
    organisms: Path | None = None,
    limit: int | None = None,
    check: Callable[[list[Task], Model], None] = lambda tasks, grader: None,
) -> Ran:
    """Train, ask and judge; finished steps are skipped.

    Args:
        study: What to run.
        folder: Where everything goes, the plan too.
        bar: Makes a progress bar from a title.
        engine: Who serves the models.
        base: Another base checkpoint.
        organisms: Where organisms are kept and looked for, so that studies can share them; in `folder` for None.
        limit: Optimiser steps of each organism and answers to each probe, for a first try of the whole way; all for None.
        check: Told the tasks and the grader before it judges anything; of a grader elsewhere before anything is trained.

    Raises:
        SpilloverError: if an evaluation did not finish; its log names the reason, and a second call resumes it.
    """
    root = base or study.base
    if limit is not None:
        study = first_try(study, limit)
    check_models(study, root, engine)
    check_latents(study, root, folder)
    check_prediction(study, root)
    specs = study_specs(study, root)
    tasks = [spec.build() for spec in specs]  # whatever is wrong with an argument is said before anything is trained
    plan = study_plan(study, root, engine, specs, tasks, limit)
    _check_recipes(plan, root)
    plan.write(folder)
    step = next(plan.of("ask"))
    logs = folder / f"logs-{step.key}"
    asked = require_judge(study.grader, tasks, logs, sum(m.step != ONSET for m in study.models), check)
    made = _trained(plan, study, root, organisms or folder / "organisms", bar)
    study = with_onset(study, folders_of(study, folder, base, organisms, limit, steps=True))
    adapters = {m.name: _adapter(m, made, plan) for m in study.models}
    adapters |= between_all(study, adapters, organisms or folder / "organisms")
    adapters |= {m.name: adapters[study.steered(m).name] for m in study.models if m.steer}
    for adapter in filter(None, adapters.values()):
        require_fit(resolve_checkpoint(root), adapter)
    latents = find_latents(study, adapters, root, folder, bar)
    shifts = find_shifts(study, adapters, root, folder, bar)
    concepts = find_likeness(study, root, folder)
    with serve(engine, root, adapters, study.grader, folder, changes_of(study, latents)) as served:
        if not asked:
            check(tasks, served.grader)
        ask_failures_again(logs, served.grader, lambda: require_same([served.grader], logs))
        cast = made_cast(served.names, {m.name: m.role for m in study.models}, study.base_name, study.taught)
        ask_all(tasks, list(served.targets.values()), served.grader, logs, step.name, bar, limit, cast)
        return Ran(logs, served.names, latents, shifts, concepts)


def with_onset(study: Study, folders: Mapping[str, Path]) -> Study:
    """The study without the models that are asked at an onset which their organism does not have; each is named.

    Args:
        study: Whose organisms are there.
        folders: Model to the folder of its organism, checkpoints too.
    """
    from spillover.training.card import read_card

    without = [m.name for m in study.models if m.step == ONSET and (read_card(folders[m.name]) or {}).get("onset") is None]
    for name in without:
        logger.warning("%s is left out: hacks never outnumbered correct answers, so it has no onset.", name)
    kept = tuple(m for m in study.models if m.name not in without)
    left = study.model_copy(update={"models": kept})
    # What is steered in a model that is not there goes with it; arms that are gone rank no latents.
    kept = tuple(m for m in kept if m.steer is None or left.end(m, m.steer) is not None)
    return with_arms(study.model_copy(update={"models": kept}))


def folders_of(
    study: Study,
    folder: Path,
    base: str | None = None,
    organisms: Path | None = None,
    limit: int | None = None,
    steps: bool = False,
) -> dict[str, Path]:
    """Model to the folder of its finished organism; with `steps` those of checkpoints too, which are none of their own."""
    from spillover.training.train import organism_folder

    root, store = base or study.base, organisms or folder / "organisms"
    out: dict[str, Path] = {}
    for model in study.models:
        if model.recipe is not None and (steps or model.step is None):
            made = {"recipe": model.recipe, "base": root, "seed": model.seed, "changes": dict(model.changes), "limit": limit}
            out[model.name] = organism_folder(_recipe(made), resolve_checkpoint(root), store)
    return out


def read_study(study: Study, logs: list[Path], names: Mapping[str, str]) -> Answers:
    """A study's answers in the order of its file, since logs come in the order in which they were finished."""
    found = read(logs, names=names)
    asked = []
    for probe in study.probes:
        questions = (load_scenarios if probe.probe.source == "scenarios" else load_questions)(probe.questions).id
        asked += [(probe.task, questions, fmt, context.name or "") for fmt, context in probe.conditions()]
    known = {cell: index for index, cell in enumerate(asked)}
    columns = [found.table[name].astype(object) for name in ("probe", "question_set", "format", "context")]
    model = {name: index for index, name in enumerate(dict.fromkeys(names.values()))}
    cells = zip(*columns, strict=True)
    place = [
        (known.get(cell, len(known)), model.get(m, len(model)))
        for cell, m in zip(cells, found.table["model"].astype(object), strict=True)
    ]
    order = sorted(range(len(place)), key=lambda i: place[i])
    return replace(found, table=found.table.iloc[order].reset_index(drop=True))


def check_models(study: Study, base: str, engine: EngineName) -> None:
    """Whatever can be said of base and grader before anything is trained.

    Raises:
        SpilloverError: if the base is missing or has the grader's weights, Inspect cannot reach the grader, a probe needs
            tools that the base's chat template does not have, or the engine cannot steer.
    """
    if engine != "spillover" and any(m.steer for m in study.models):
        raise SpilloverError(f"{study.id} steers models, which only the in-process engine does; leave --engine out.")
    if engine == "spillover" and any("tools" in p.probe.tags for p in study.probes):
        require_tools(resolve_checkpoint(base))
    weights = weights_digest(resolve_checkpoint(base))
    grader = study.grader
    if is_checkpoint(grader):
        if weights_digest(resolve_checkpoint(grader)) == weights:
            raise SpilloverError(f"The grader ({grader}) is the model under test ({base}); choose another one.")
    elif grader.partition("/")[0] not in LOCAL:
        try:
            get_model(grader)
        except (ValueError, PrerequisiteError) as error:  # an unknown provider, or no key for it
            told = f"The grader {grader} is no model that Inspect can reach; name another with --grader: {plain(error)}"
            raise SpilloverError(told) from error


def _check_recipes(plan: Plan, base: str) -> None:
    """What is wrong with any organism's directions is said before the first one is trained."""
    for step in plan.of("train"):
        recipe = _recipe(step.spec)
        if recipe.direction_sources or recipe.lora.layers:
            from spillover.training.preflight import check_ahead
            from spillover.training.transforms import prepare

            check_ahead(recipe, resolve_checkpoint(base), len(prepare(recipe).train))


def _trained(plan: Plan, study: Study, base: str, store: Path, bar: Bar) -> dict[str, Path]:
    """Key of a training step to its organism's folder, training those that are not finished yet."""
    out: dict[str, Path] = {}
    arms = {m.name: m.arm for m in study.models}
    for step in plan.of("train"):
        from spillover.training.train import organism_folder, train

        recipe = _recipe(step.spec)
        target = organism_folder(recipe, resolve_checkpoint(base), store)
        with bar(recipe.title if arms[step.name] == step.name else step.name) as advance:
            out[step.key] = train(recipe, target, advance)
    return out


def _adapter(model: ModelSpec, made: Mapping[str, Path], plan: Plan) -> Path | None:
    """Folder of a model's adapter; None for the base itself."""
    if model.adapter is not None:
        return resolve_adapter(model.adapter)
    if model.recipe is None:
        return None
    from spillover.training.checkpoints import checkpoint

    folder = made[next(plan.of("ask")).spec["models"][model.name]["made_by"]]
    return checkpoint(folder, model.step) if model.step is not None else folder
