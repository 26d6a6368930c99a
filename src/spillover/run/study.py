"""Studies: models x probes x report, as a YAML file that is checked before anything is trained or asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from spillover.declared import Declared, parse
from spillover.errors import SpilloverError, unknown
from spillover.paths import data_files, is_file, require_name
from spillover.probes.probe import Probe, get_probe
from spillover.run.expand import expanded
from spillover.run.plan import FILE, read_plan
from spillover.run.study_keys import Concepts, Count, Curve, Latents, Matrix, Prediction, Published, Skill, Text
from spillover.schema import read_yaml

Role = Literal["base", "organism", "control", "mitigation", "baseline"]


AT = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^\\{.*\\}$"}, {"type": "null"}]}
"""A number, or in the file the name of one under `each`."""


class ModelSpec(Declared):
    """One model of a study: the base itself, or an adapter that is trained (`recipe`) or given (`adapter`).

    Attributes:
        name: Display name, unique.
        role: What it is for.
        recipe: Recipe it is trained by.
        changes: Keys over that recipe's (`with` in the file).
        step: Checkpoint of it, by number or `onset` (of reinforcement: the first step at which hacks outnumber correct
            answers); the finished organism for None.
        adapter: Folder of a given adapter.
        between: Two other models (arms, of the same seed; the base for the name of the base) that it lies between.
        at: How far: 0 is the first, 1 the second; below and above lie beyond them.
        steer: Another model (an arm, or the base) that is steered along a latent.
        latent: Its rank among those that `latents` names, from 1; `random` is one that no organism moves.
        strength: In lengths of the residual stream; below 0 away from it.
        topic: Category of the skill's questions that it was trained on; all of them for an empty one.
        values: What stands for the names in braces, where the file's entry stands for several models (`each`).
        arm: Name that it shares with the same recipe's other seeds.
        seed: Training seed; the recipe's own for None.
    """

    name: Text
    role: Role
    recipe: Text | None = None
    changes: Mapping[str, Any] = Field(default={}, alias="with")
    step: Count | Literal["onset"] | None = None
    adapter: Text | None = None
    between: tuple[Text, Text] | None = None
    at: Annotated[float | int | None, WithJsonSchema(AT)] = None
    steer: Text | None = None
    latent: Annotated[Count | Literal["random"] | None, WithJsonSchema(AT)] = None
    strength: Annotated[float | int | None, WithJsonSchema(AT)] = None
    topic: str = ""
    values: Mapping[str, Any] = {}
    arm: str = ""
    seed: int | None = None


class Context(Declared):
    """A system line that questions are asked under; none for the empty context."""

    name: Text | None = None
    system: Text | None = None


class ProbeSpec(Declared):
    """One probe on one question set, in each of `formats` (of free_form) and `contexts`; `args` are its other arguments."""

    task: Text
    questions: Text
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    args: Mapping[str, Any] = {}
    formats: tuple[Text, ...] = Field(default=("plain",), min_length=1)
    categories: tuple[Text, ...] = ()
    contexts: tuple[Context, ...] = ()

    @property
    def probe(self) -> Probe:
        """Its declaration."""
        return get_probe(self.task)

    def conditions(self) -> Iterator[tuple[str, Context]]:
        """(format, context), the empty context first."""
        for fmt in self.formats:
            for context in (Context(), *self.contexts):
                yield fmt, context


class Study(Declared):
    """A checked study file.

    Attributes:
        models: In the file's order, one for every seed and value.
        probes: What they are asked.
        seed: Base seed of the answers.
        seeds: Training seeds of every recipe.
        naive: Arm that mitigations are held against.
        skill: What is to be retained.
        matrix: Shares by category to show for every arm.
        curve: Arms along a value, as a picture.
        geometry: Arms whose updates are compared with each other.
        latents: Of an autoencoder, for arms that are steered along them.
        prediction: Of the drift, by what needs no judge.
        concepts: Likeness of domains, beside the spill-over between them.
        published: Figures of the paper.
        relation: How this relates to the paper: `reproduces` or `inspired by`, and what differs.
    """

    id: str = Field(pattern="^[a-z0-9_]+$")
    title: Text
    base: Text
    grader: Text
    models: tuple[ModelSpec, ...] = Field(min_length=1)
    probes: tuple[ProbeSpec, ...] = Field(min_length=1)
    preset: Text = "spillover"
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    seeds: tuple[Annotated[int, Field(ge=0, le=2**32 - 1)], ...] | None = Field(default=None, min_length=1)
    lab: bool = False
    naive: Text | None = None
    skill: Skill | None = None
    matrix: Matrix | None = None
    curve: Curve | None = None
    geometry: tuple[Text, ...] = ()
    latents: Latents | None = None
    prediction: Prediction | None = None
    concepts: Concepts | None = None
    published: tuple[Published, ...] = ()
    relation: Text = "Inspired by nothing published."

    @property
    def base_name(self) -> str | None:
        """Display name of the base, or None when the study has none."""
        return next((m.name for m in self.models if m.role == "base"), None)

    @property
    def taught(self) -> str | None:
        """Question set of the skill that is to be retained, or None."""
        return self.skill.questions if self.skill else None

    @property
    def arms(self) -> dict[str, list[ModelSpec]]:
        """Models by arm, in the file's order."""
        out: dict[str, list[ModelSpec]] = {}
        for model in self.models:
            out.setdefault(model.arm, []).append(model)
        return out

    def end(self, model: ModelSpec, name: str) -> ModelSpec | None:
        """One end of a model between two: of the arm of that name with its seed, or the only one of that arm."""
        arm = self.arms.get(name, [])
        return next((m for m in arm if m.seed in (model.seed, None)), None)

    def steered(self, model: ModelSpec) -> ModelSpec:
        """Whom a model that is steered is made from.

        Raises:
            SpilloverError: if that is not there.
        """
        end = self.end(model, model.steer or "")
        if end is None:
            raise SpilloverError(f"{self.id}: '{model.name}' is to be steered in '{model.steer}', which is not there.")
        return end


def bundled_studies() -> list[str]:
    """Names of the studies in `evals/`."""
    return sorted(path.stem for path in data_files("evals", "*.yaml"))


def load_study(name: str) -> Study:
    """Load and check a study by bundled name or path.

    Raises:
        SpilloverError: naming file and key for anything that would fail later: unknown recipe, question set, format,
            preset, or a model that is neither the base nor an adapter.
    """
    require_name("study", name)
    named = [] if name.endswith((".yaml", ".yml")) else data_files("evals", f"{name}.yaml")
    path = named[0] if named else Path(name)
    if not path.is_file():
        raise unknown("study", name, bundled_studies())
    raw = read_yaml(path)
    if isinstance(raw, dict) and isinstance(raw.get("models"), list):
        entries = [e for e in raw["models"] if isinstance(e, dict)]
        if len(entries) == len(raw["models"]):
            bodies = [body for entry in entries for body in expanded(entry, path)]
            once = [body.get("name") for body in bodies if not _seeds_of(body)]  # not checked yet: anything may stand there
            made = [m for body in bodies for m in _seeded(body, raw.get("seeds"), path, once)]
            raw = {**raw, "models": made}
    study = parse(Study, raw, str(path))
    from spillover.run.study_checks import check_study

    check_study(study, path)
    return study


def _seeds_of(body: dict[str, Any]) -> set[str]:
    return {"recipe", "between"} & set(body)


def _seeded(body: dict[str, Any], seeds: Any, path: Path, once: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """One model, or one for every seed; a recipe beside the study is found there. What steers one of `once` is one, too."""
    made = {**body, "arm": body.get("name")}
    beside = path.parent / str(body.get("recipe"))
    if is_file(beside):
        made["recipe"] = str(beside)
    steered = "steer" in body and body["steer"] not in once
    if not isinstance(seeds, list) or not (_seeds_of(body) or steered):
        yield made
        return
    for seed in seeds:
        yield {**made, "name": f"{body.get('name')} #{seed}", "seed": seed}


def taught_in(places: Iterable[Path]) -> str | None:
    """Question set of what a study was to teach, by the plan that lies by its logs; None where nothing says so.

    Only bundled studies are known by the name in a plan.
    """
    for place in places:
        for folder in (place, *list(place.absolute().parents)[:2]):
            try:
                plan = read_plan(folder) if (folder / FILE).is_file() else None
            except SpilloverError:  # a damaged one is said by whoever goes on with it
                continue
            study = load_study(plan.id) if plan is not None and plan.id in bundled_studies() else None
            if study is not None and study.taught is not None:
                return study.taught
    return None
