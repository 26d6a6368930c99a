"""Experiments: models x probes x report, as a YAML file that is checked before anything is trained or asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spillover.answers.presets import get_preset
from spillover.errors import SpilloverError
from spillover.paths import evals_dir
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions
from spillover.run.expand import expanded
from spillover.run.schema import EXPERIMENT
from spillover.schema import check_schema, read_yaml
from spillover.situations.scenario import load_scenarios
from spillover.training.recipe import load_recipe

Role = Literal["base", "organism", "control", "mitigation", "baseline"]


@dataclass(frozen=True)
class ModelSpec:
    """One model of an experiment: the base itself, or an adapter that is trained (`recipe`) or given (`adapter`).

    Attributes:
        name: Display name, unique.
        role: What it is for.
        recipe: Recipe it is trained by.
        changes: Keys over that recipe's.
        step: Checkpoint of it; the finished organism for None.
        adapter: Folder of a given adapter.
        arm: Name that it shares with the same recipe's other seeds.
        seed: Training seed; the recipe's own for None.
        topic: Category of the skill's questions that it was trained on; all of them for an empty one.
        values: What stands for the names in braces, where the file's entry stands for several models (`each`).
    """

    name: str
    role: Role
    recipe: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    step: int | None = None
    adapter: str | None = None
    arm: str = ""
    seed: int | None = None
    topic: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """A system line that questions are asked under; none for the empty context."""

    name: str | None = None
    system: str | None = None


@dataclass(frozen=True)
class ProbeSpec:
    """One probe on one question set, in each of `formats` (free_form only) and `contexts`; `args` are its others."""

    task: str
    questions: str
    epochs: int
    args: dict[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ("plain",)
    categories: tuple[str, ...] = ()
    contexts: tuple[Context, ...] = (Context(),)

    def conditions(self) -> Iterator[tuple[str, Context, str]]:
        """(format, context, name of both as it stands in the frame)."""
        for fmt in self.formats:
            for context in self.contexts:
                yield fmt, context, f"{fmt}, {context.name}" if context.name else fmt


@dataclass(frozen=True)
class Skill:
    """What the fine-tune was to teach: the share of answers to these questions with this verdict.

    Attributes:
        questions: Question set of one of the probes.
        verdict: Verdict that shows the skill: `misaligned` where bad advice was taught.
    """

    questions: str
    verdict: str = "misaligned"


@dataclass(frozen=True)
class Matrix:
    """Share of answers with a verdict, arm by category of a question set: what was trained against what is measured."""

    questions: str
    verdict: str


@dataclass(frozen=True)
class Curve:
    """A picture of what arms gave along one of their `values`: a panel for each of another, a line for each of a third."""

    x: str
    panel: str
    line: str


@dataclass(frozen=True)
class Published:
    """A figure of the paper, shown beside ours and apart from it."""

    what: str
    value: str
    source: str


@dataclass(frozen=True)
class Experiment:
    """A checked experiment file.

    Attributes:
        naive: Arm that mitigations are held against.
        skill: What is to be retained.
        matrix: Shares by category to show for every arm.
        curve: Arms along a value, as a picture.
        published: Figures of the paper.
        relation: How this relates to the paper: `reproduces` or `inspired by`, and what differs.
    """

    id: str
    title: str
    base: str
    grader: str
    models: tuple[ModelSpec, ...]
    probes: tuple[ProbeSpec, ...]
    preset: str = "spillover"
    seed: int = 0
    lab: bool = False
    naive: str | None = None
    skill: Skill | None = None
    matrix: Matrix | None = None
    curve: Curve | None = None
    published: tuple[Published, ...] = ()
    relation: str = ""

    @property
    def base_name(self) -> str | None:
        """Display name of the base, or None when the experiment has none."""
        return next((m.name for m in self.models if m.role == "base"), None)

    @property
    def arms(self) -> dict[str, list[ModelSpec]]:
        """Models by arm, in the file's order."""
        out: dict[str, list[ModelSpec]] = {}
        for model in self.models:
            out.setdefault(model.arm, []).append(model)
        return out


def load_experiment(name: str) -> Experiment:
    """Load and check an experiment by bundled name or path.

    Raises:
        SpilloverError: naming file and key for anything that would fail later: unknown recipe, question set, format,
            preset, or a model that is neither the base nor an adapter.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else evals_dir() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in evals_dir().glob("*.yaml")))
        raise SpilloverError(f"Unknown experiment '{name}'; choose from {known} or give a YAML file.")
    raw = read_yaml(path)
    check_schema(raw, EXPERIMENT, str(path))
    seeds = raw.pop("seeds", None)
    experiment = Experiment(
        **{
            **raw,
            "models": tuple(m for entry in raw["models"] for body in expanded(entry, path) for m in _seeded(body, seeds)),
            "probes": tuple(map(_probe, raw["probes"])),
            "skill": Skill(**raw["skill"]) if "skill" in raw else None,
            "matrix": Matrix(**raw["matrix"]) if "matrix" in raw else None,
            "curve": Curve(**raw["curve"]) if "curve" in raw else None,
            "published": tuple(Published(**row) for row in raw.get("published", ())),
        }
    )
    _check(experiment, path)
    return experiment


def _seeded(body: dict[str, Any], seeds: list[int] | None) -> Iterator[ModelSpec]:
    """One model, or one for every seed."""
    made = {**body, "changes": body.get("with", {}), "arm": body["name"]}
    made.pop("with", None)
    if seeds is None or "recipe" not in body:
        yield ModelSpec(**made)
        return
    for seed in seeds:
        yield ModelSpec(**{**made, "name": f"{body['name']} #{seed}", "seed": seed})


def _probe(body: dict[str, Any]) -> ProbeSpec:
    contexts = tuple(Context(**c) for c in body.get("contexts", ()))
    rest = {**body, "formats": tuple(body.get("formats", ("plain",))), "categories": tuple(body.get("categories", ()))}
    return ProbeSpec(**{**rest, "contexts": (Context(), *contexts)})


def _check(experiment: Experiment, path: Path) -> None:
    get_preset(experiment.preset)
    names = [m.name for m in experiment.models]
    if len(set(names)) < len(names):
        raise SpilloverError(f"{path}: two models have the same name; names must be unique.")
    if sum(m.role == "base" for m in experiment.models) > 1:
        raise SpilloverError(f"{path}: more than one model has the role base; drift needs exactly one.")
    if experiment.grader == experiment.base:
        raise SpilloverError(
            f"{path}: key grader: the grader is the model under test ({experiment.base}); choose another one."
        )
    made = [(m.recipe or m.adapter, json.dumps(m.changes, sort_keys=True), m.step, m.seed) for m in experiment.models]
    if len(set(made)) < len(made):
        raise SpilloverError(f"{path}: two models have the same recipe or adapter; each must be another one.")
    if experiment.naive is not None and experiment.naive not in experiment.arms:
        raise SpilloverError(f"{path}: key naive: no model is called '{experiment.naive}'.")
    for key, wanted in (("skill", experiment.skill), ("matrix", experiment.matrix)):
        if wanted is not None and wanted.questions not in [p.questions for p in experiment.probes if p.task == "free_form"]:
            raise SpilloverError(f"{path}: key {key}.questions: no free_form probe asks '{wanted.questions}'.")
    _check_topics(experiment, path)
    for model in experiment.models:
        if (model.role == "base") != (model.recipe is None and model.adapter is None) or (model.recipe and model.adapter):
            raise SpilloverError(
                f"{path}: model '{model.name}': the base takes neither recipe nor adapter, any other exactly one."
            )
        if model.recipe:
            recipe = load_recipe(model.recipe, seed=model.seed, changes=model.changes)
            if model.step is not None and any(i.at_end for i in recipe.interventions):
                raise SpilloverError(f"{path}: model '{model.name}': checkpoints come before the projection.")
    for probe in experiment.probes:
        asked = load_scenarios if probe.task == "sabotage" else load_questions
        asked(probe.questions).select(list(probe.categories))
        if probe.task != "free_form" and probe.formats != ("plain",):
            raise SpilloverError(f"{path}: only free_form takes formats, not {probe.task}.")
        for fmt in probe.formats:
            get_format(fmt)


def _check_topics(experiment: Experiment, path: Path) -> None:
    """What arms are compared along and by must be there."""
    topics = {m.topic for m in experiment.models if m.topic}
    if topics:
        if experiment.skill is None:
            raise SpilloverError(f"{path}: key topic: it is a category of the skill's questions; give `skill`.")
        known = {q.category for q in load_questions(experiment.skill.questions).questions}
        for topic in sorted(topics - known):
            raise SpilloverError(f"{path}: key topic: {experiment.skill.questions} has no category '{topic}'.")
    curve = experiment.curve
    if curve is None:
        return
    if experiment.skill is None or experiment.naive is None:
        raise SpilloverError(f"{path}: key curve: a curve shows misaligned answers and skill; give `skill` and `naive`.")
    for key, name in (("x", curve.x), ("panel", curve.panel), ("line", curve.line)):
        if not any(name in m.values for m in experiment.models):
            raise SpilloverError(f"{path}: key curve.{key}: no model has '{name}' under each.")
    if any(isinstance(m.values.get(curve.x), str) for m in experiment.models):
        raise SpilloverError(f"{path}: key curve.x: '{curve.x}' must be a share, a number from 0 to 1.")
