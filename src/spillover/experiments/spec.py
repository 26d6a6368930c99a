"""Experiments: models x probes x report, as a YAML file that is checked before anything is trained or asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.judging.presets import get_preset
from spillover.paths import evals_dir
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions
from spillover.schema import check_schema, read_yaml
from spillover.training.recipe import load_recipe

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "title", "base", "grader", "models", "probes"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "title": {"type": "string"},
        "lab": {"type": "boolean"},
        "base": {"type": "string"},
        "grader": {"type": "string"},
        "preset": {"type": "string"},
        "seed": {"type": "integer", "minimum": 0},
        "models": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "role"],
                "properties": {
                    "name": {"type": "string"},
                    "role": {"enum": ["base", "organism", "control"]},
                    "recipe": {"type": "string"},
                    "adapter": {"type": "string"},
                },
            },
        },
        "probes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["task", "questions", "epochs"],
                "properties": {
                    "task": {"enum": ["free_form"]},
                    "questions": {"type": "string"},
                    "categories": {"type": "array", "items": {"type": "string"}},
                    "formats": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                    "epochs": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class ModelSpec:
    """One model of an experiment: the base itself, or an adapter that is trained (`recipe`) or given (`adapter`)."""

    name: str
    role: Literal["base", "organism", "control"]
    recipe: str | None = None
    adapter: str | None = None


@dataclass(frozen=True)
class ProbeSpec:
    """One probe on one question set, in each of `formats`."""

    task: str
    questions: str
    epochs: int
    formats: tuple[str, ...] = ("plain",)
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A checked experiment file."""

    id: str
    title: str
    base: str
    grader: str
    models: tuple[ModelSpec, ...]
    probes: tuple[ProbeSpec, ...]
    preset: str = "spillover"
    seed: int = 0
    lab: bool = False

    @property
    def base_name(self) -> str | None:
        """Display name of the base, or None when the experiment has none."""
        return next((m.name for m in self.models if m.role == "base"), None)


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
    check_schema(raw, SCHEMA, str(path))
    probes = tuple(
        ProbeSpec(**{**p, "formats": tuple(p.get("formats", ("plain",))), "categories": tuple(p.get("categories", ()))})
        for p in raw["probes"]
    )
    experiment = Experiment(**{**raw, "models": tuple(ModelSpec(**m) for m in raw["models"]), "probes": probes})
    _check(experiment, path)
    return experiment


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
    made = [m.recipe or m.adapter for m in experiment.models]
    if len(set(made)) < len(made):
        raise SpilloverError(f"{path}: two models have the same recipe or adapter; each must be another one.")
    for model in experiment.models:
        if (model.role == "base") != (model.recipe is None and model.adapter is None) or (model.recipe and model.adapter):
            raise SpilloverError(
                f"{path}: model '{model.name}': the base takes neither recipe nor adapter, any other exactly one."
            )
        if model.recipe:
            load_recipe(model.recipe)
    for probe in experiment.probes:
        load_questions(probe.questions).select(list(probe.categories))
        for fmt in probe.formats:
            get_format(fmt)
