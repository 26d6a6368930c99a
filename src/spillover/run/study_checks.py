"""What is wrong with a study that its keys alone do not show: names, recipes, questions, and what goes with what."""

from __future__ import annotations

import json
from pathlib import Path

from spillover.answers.presets import get_preset
from spillover.errors import SpilloverError
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions
from spillover.run.study import ModelSpec, ProbeSpec, Study
from spillover.situations.scenario import load_scenarios
from spillover.training.checkpoints import ONSET
from spillover.training.recipe import load_recipe


def check_study(study: Study, path: Path) -> None:
    """Refuse what would fail after hours.

    Raises:
        SpilloverError: naming the file and the key.
    """
    get_preset(study.preset)
    if study.seeds is not None and len(set(study.seeds)) < len(study.seeds):
        raise SpilloverError(f"{path}: key seeds: a seed is there twice.")
    names = [m.name for m in study.models]
    if len(set(names)) < len(names):
        raise SpilloverError(f"{path}: two models have the same name; names must be unique.")
    if sum(m.role == "base" for m in study.models) > 1:
        raise SpilloverError(f"{path}: more than one model has the role base; drift needs exactly one.")
    if study.grader == study.base:
        raise SpilloverError(f"{path}: key grader: the grader is the model under test ({study.base}); choose another one.")
    made = [
        (m.recipe or m.adapter, json.dumps(m.changes, sort_keys=True), m.step, m.seed, m.between, m.at, *_steered(m))
        for m in study.models
    ]
    if len(set(made)) < len(made):
        raise SpilloverError(f"{path}: two models have the same recipe or adapter; each must be another one.")
    if study.naive is not None and study.naive not in study.arms:
        raise SpilloverError(f"{path}: key naive: no model is called '{study.naive}'.")
    for model in study.models:
        _check_model(model, path)
        _check_between(model, study, path)
    _check_latents(study, path)
    for model in study.models:
        _check_steer(model, study, path)
    if study.geometry and sum(len(study.arms.get(name, ())) for name in dict.fromkeys(study.geometry)) < 2:
        raise SpilloverError(f"{path}: key geometry: one adapter alone has nothing to be compared with; name another arm.")
    for name in study.geometry:
        if study.arms.get(name, [None])[0] is None or study.arms[name][0].recipe is None:
            raise SpilloverError(f"{path}: key geometry: '{name}' is no arm with a recipe.")
    for probe in study.probes:
        _check_probe(probe, path)
    for key, wanted in (("skill", study.skill), ("matrix", study.matrix)):
        if wanted is not None and wanted.questions not in [p.questions for p in study.probes if p.task == "free_form"]:
            raise SpilloverError(f"{path}: key {key}.questions: no free_form probe asks '{wanted.questions}'.")
    _check_topics(study, path)
    _check_before(study, path)


def _check_before(study: Study, path: Path) -> None:
    """What is reinforced needs the arm before it: open models were found to score high before any hacking."""
    ids = {
        load_recipe(name).id
        for name in {m.recipe for m in study.models if m.step is None and set(m.changes) <= {"seed"}}
        if name
    }
    kinds = {(m.recipe, json.dumps(m.changes, sort_keys=True)): m for m in study.models if m.recipe}
    for model in kinds.values():
        recipe = load_recipe(model.recipe or "", changes=dict(model.changes))
        if recipe.objective.kind != "grpo":
            continue
        if recipe.start is None and study.base_name is None:
            raise SpilloverError(f"{path}: '{model.name}' is reinforced; add the base, which is the arm before that.")
        if recipe.start is not None and recipe.start.id not in ids:
            raise SpilloverError(
                f"{path}: '{model.name}' is reinforced; add the arm before that, a model with the recipe {recipe.start.id}."
            )


def _check_model(model: ModelSpec, path: Path) -> None:
    if sum(x is not None for x in (model.recipe, model.adapter, model.between, model.steer)) != (model.role != "base"):
        raise SpilloverError(
            f"{path}: model '{model.name}': the base takes no recipe, adapter, between or steer, "
            "any other exactly one of them."
        )
    if model.recipe:
        recipe = load_recipe(model.recipe, seed=model.seed, changes=dict(model.changes))
        if model.step == ONSET and not recipe.objective.samples:
            raise SpilloverError(
                f"{path}: model '{model.name}': key step: only reinforcement (objective grpo) has an onset."
            )
        if model.step is not None and any(i.at_end for i in recipe.interventions):
            raise SpilloverError(f"{path}: model '{model.name}': checkpoints come before the projection.")


def _check_between(model: ModelSpec, study: Study, path: Path) -> None:
    if (model.between is None) != (model.at is None):
        raise SpilloverError(f"{path}: model '{model.name}': between and at belong together.")
    if model.between is not None and len(set(model.between)) == 1:
        raise SpilloverError(
            f"{path}: model '{model.name}': key between: a model can not lie between '{model.between[0]}' twice."
        )
    for end in model.between or ():
        found = study.end(model, end)
        if (
            found is None
            or found.between is not None
            or found.steer is not None
            or ((found.role == "base") and end == (model.between or ("", ""))[1])
        ):
            raise SpilloverError(
                f"{path}: model '{model.name}': key between: '{end}' is no model that is trained or given, of the same seed "
                "(the base may stand first)."
            )


def _steered(model: ModelSpec) -> tuple[object, ...]:
    return model.steer, model.latent, model.strength


def _check_steer(model: ModelSpec, study: Study, path: Path) -> None:
    if len({x is None for x in _steered(model)}) > 1:
        raise SpilloverError(f"{path}: model '{model.name}': steer, latent and strength belong together.")
    if model.steer is None:
        return
    end = study.end(model, model.steer)
    if end is None or end.steer is not None:
        raise SpilloverError(
            f"{path}: model '{model.name}': key steer: '{model.steer}' is no other model, of the same seed."
        )
    if study.latents is None:
        raise SpilloverError(f"{path}: model '{model.name}': key latent: give `latents`, which they are ranked in.")
    if isinstance(model.latent, int) and model.latent > study.latents.top:
        raise SpilloverError(
            f"{path}: model '{model.name}': key latent: {model.latent} is beyond the {study.latents.top} that are ranked."
        )
    if not model.strength:
        raise SpilloverError(f"{path}: model '{model.name}': key strength: 0 changes nothing; give another number.")


def _check_latents(study: Study, path: Path) -> None:
    asked = {
        "latents": study.latents and [study.latents.questions],
        "prediction": study.prediction and study.prediction.questions,
    }
    for key, sets in asked.items():
        if sets and study.base_name is None:
            raise SpilloverError(f"{path}: key {key}: organisms are held against the base; give a model of the role base.")
        for name in sets or ():
            load_questions(name)
    if study.concepts is not None:
        _check_concepts(study, path)
    if study.latents is None:
        return
    if study.latents.top >= study.latents.features or study.latents.active > study.latents.features:
        raise SpilloverError(f"{path}: key latents: top and active must be below features ({study.latents.features}).")
    if study.latents.tokens < study.latents.features:
        raise SpilloverError(
            f"{path}: key latents.tokens: at least as many as features ({study.latents.features}) are read."
        )
    if not any(p.task in ("free_form", "formats") for p in study.probes):
        raise SpilloverError(f"{path}: key latents: they are told by misaligned answers; ask the probe free_form.")
    for name in study.latents.organisms:
        if not any(m.recipe or m.adapter for m in study.arms.get(name, [])):
            raise SpilloverError(f"{path}: key latents.organisms: '{name}' is no arm that is trained or given.")


def _check_concepts(study: Study, path: Path) -> None:
    from spillover.training.concepts import domains_of

    wanted = study.concepts
    assert wanted is not None
    if study.base_name is None or wanted.questions not in [p.questions for p in study.probes if p.task == "refusal"]:
        raise SpilloverError(f"{path}: key concepts: give a base, and ask '{wanted.questions}' with the probe refusal.")
    domains = domains_of(wanted.questions)
    found = {str(m.values[wanted.unlearned]) for m in study.models if wanted.unlearned in m.values}
    cells = [
        (m.arm, m.values.get(wanted.unlearned), m.values.get(wanted.method or ""))
        for m in study.models
        if wanted.unlearned in m.values
    ]
    if len({cell[1:] for cell in set(cells)}) < len(set(cells)):
        raise SpilloverError(f"{path}: key concepts: two arms unlearn one domain in one way; tell them apart by `method`.")
    if not found or found - set(domains):
        raise SpilloverError(
            f"{path}: key concepts.unlearned: the values of '{wanted.unlearned}' under each must be domains of "
            f"{wanted.questions} ({', '.join(domains)})."
        )


def _check_probe(probe: ProbeSpec, path: Path) -> None:
    if probe.probe.source not in ("questions", "scenarios"):
        raise SpilloverError(f"{path}: {probe.task} asks no model; a study can not hold it.")
    asked = load_scenarios if probe.probe.source == "scenarios" else load_questions
    asked(probe.questions).select(list(probe.categories))
    if probe.task != "free_form" and probe.formats != ("plain",):
        raise SpilloverError(f"{path}: only free_form takes formats, not {probe.task}.")
    for fmt in probe.formats:
        get_format(fmt)


def _check_topics(study: Study, path: Path) -> None:
    """What arms are compared along and by must be there."""
    topics = {m.topic for m in study.models if m.topic}
    if topics:
        if study.skill is None:
            raise SpilloverError(f"{path}: key topic: it is a category of the skill's questions; give `skill`.")
        known = {q.category for q in load_questions(study.skill.questions).questions}
        for topic in sorted(topics - known):
            raise SpilloverError(f"{path}: key topic: {study.skill.questions} has no category '{topic}'.")
    curve = study.curve
    if curve is None:
        return
    if study.skill is None or study.naive is None:
        raise SpilloverError(f"{path}: key curve: a curve shows a probe's figure and the skill; give `skill` and `naive`.")
    for key, name in (("x", curve.x), ("panel", curve.panel), ("line", curve.line)):
        if not any(name in m.values for m in study.models):
            raise SpilloverError(f"{path}: key curve.{key}: no model has '{name}' under each.")
    if any(isinstance(m.values.get(curve.x), str) for m in study.models):
        raise SpilloverError(f"{path}: key curve.x: '{curve.x}' must be a share, a number from 0 to 1.")
