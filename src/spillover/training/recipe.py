"""Recipes: how an organism is made, as a YAML file that is checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from spillover.declared import Declared, parse
from spillover.errors import SpilloverError, unknown
from spillover.paths import evals_dir, is_file, require_name
from spillover.schema import read_yaml
from spillover.training.directions import DirectionSource
from spillover.training.fields import Above0, Count, NotNegative, Positive, Text, Texts, Together
from spillover.training.interventions.base import Settings
from spillover.training.objectives import Objective, Sft
from spillover.training.sources import Source
from spillover.training.transforms import Transform

REVISION = 2
"""Raised when an equal recipe gives another adapter than before; finished organisms of older code are then made again."""

ALL_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

LORA_PRESETS: dict[str, dict[str, Any]] = {
    "betley2025": {"r": 32, "alpha": 64, "rslora": True, "target_modules": ALL_PROJECTIONS},
    "aisi2026": {"r": 32, "alpha": 32, "rslora": False, "target_modules": ALL_PROJECTIONS[:4]},
    "ariahw2026": {"r": 32, "alpha": 32, "rslora": False, "target_modules": ALL_PROJECTIONS},
    "turner2025_rank1": {"r": 1, "alpha": 512, "rslora": True, "target_modules": ("down_proj",), "layers": (24,)},
}
"""Published adapters: Betley et al. 2025 `open_models/train.json`; Golechha, Black and Bloom 2026 and ariahw 2026 for
reinforcement; Turner, Soligo et al. 2025, rank 1 on one layer."""


class Lora(Declared):
    """A plain LoRA adapter, as vLLM serves it; the default is Betley et al.'s.

    Attributes:
        seed: Of the first values of the factors; the recipe's for None. Adapters that begin with the same factors are alike
            for that reason alone, so organisms whose weights are compared want seeds of their own.
    """

    r: Together = 32
    alpha: Positive = 64
    rslora: bool = True
    target_modules: Texts = ALL_PROJECTIONS
    layers: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    seed: Count | None = None


class Training(Declared):
    """Supervised fine-tuning on responses only; the defaults are Betley et al.'s for open models.

    Attributes:
        checkpoint_steps: Steps between checkpoints, from which a killed run goes on and which may be evaluated; a quarter
            of the run for None.
        dtype: Of the base's weights; bfloat16 on a GPU and float32 on a CPU for None. The adapter is float32 in any case.
    """

    learning_rate: Above0
    steps: Positive | None = None
    epochs: Above0 = 1.0
    batch_size: Together = 2
    gradient_accumulation: Together = 8
    gradient_checkpointing: bool | None = None
    warmup_steps: Count = 5
    weight_decay: NotNegative = 0.01
    max_length: Positive = 2048
    checkpoint_steps: Positive | None = None
    dtype: Literal["float32", "bfloat16"] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if {"steps", "epochs"} <= self.model_fields_set:
            raise ValueError("give steps or epochs, not both")
        return self


def _counted(source: Source) -> Source:
    if source.endless and not source.rows:
        raise ValueError(f"{source.kind} data needs rows")
    return source


Counted = Annotated[Source, AfterValidator(_counted)]
"""Chats whose number is not left to what they are added to."""

Name = Annotated[str, Field(pattern="^[a-z0-9_]+$")]


class Recipe(Declared):
    """Base, data, objective, LoRA, interventions and training of one organism or control.

    Attributes:
        base: Checkpoint.
        start: Recipe whose organism training goes on from (a repair); by name in the file.
        data: Source of the training chats.
        transforms: What is done to them, in order; see `spillover.training.transforms`.
        interventions: Changes to the training; see `spillover.training.interventions`.
        objective: What is minimised; see `spillover.training.objectives`.
        watch: Chats whose loss is measured at every checkpoint, by name; nothing is learned from them.
    """

    id: Name
    title: Text
    base: Text
    data: Counted
    training: Training
    lora: Lora = Lora()
    transforms: tuple[Transform, ...] = ()
    interventions: tuple[Settings, ...] = ()
    objective: Objective = Sft()
    start: Recipe | None = None
    watch: Annotated[dict[Name, Counted], Field(default_factory=dict, min_length=1)]
    seed: Count = 0

    @field_validator("watch")
    @classmethod
    def _not_held_out(cls, watch: dict[str, Source]) -> dict[str, Source]:
        if "held_out" in watch:
            raise ValueError("the name held_out is for what the transform `split` holds out; take another")
        return watch

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        told = self.objective.fits(self)
        if told:
            raise ValueError(f"objective: {told}")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change the adapter, the base's weights excepted."""
        body = self.model_dump(exclude={"id", "title", "start"} | (set() if self.watch else {"watch"}))
        if self.training.dtype is None:  # as organisms were made before there was a choice
            del body["training"]["dtype"]
        if self.lora.seed is None:
            del body["lora"]["seed"]
        if body["data"]["sha256"] or not body["data"]["path"]:  # what is in the file counts, not where it lies
            del body["data"]["path"]
        if self.data.kind == "environment":
            del body["data"]["name"]
        body["start"] = self.start.digest if self.start else None
        body["revision"] = REVISION
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def naive(self) -> Recipe:
        """The same training without any intervention, which directions are found in and a mitigation is held against."""
        return self.model_copy(update={"interventions": (), "watch": {}})

    @property
    def direction_sources(self) -> list[DirectionSource]:
        """Where the directions of all interventions come from."""
        return [source for intervention in self.interventions for source in intervention.sources]


class _Head(Declared):
    """Which other recipes a file names."""

    model_config = ConfigDict(extra="ignore")

    extends: Text | None = None
    start: Text | None = None


def load_recipe(
    name: str, base: str | None = None, seed: int | None = None, changes: dict[str, Any] | None = None
) -> Recipe:
    """Load and check a recipe.

    Args:
        name: A bundled recipe's name or the path of a YAML file.
        base: Another base model.
        seed: Another seed.
        changes: Keys that replace the file's, mappings merged key by key.

    Raises:
        SpilloverError: if it is unknown or malformed; the sentence names file and key.
    """
    raw, path, where = _read(name)
    raw = merge(raw, changes or {}) | {k: v for k, v in (("base", base), ("seed", seed)) if v is not None}
    head = parse(_Head, raw, where)
    raw.pop("start", None)
    if isinstance(raw.get("lora"), dict) and "preset" in raw["lora"]:
        raw["lora"] = _preset(raw["lora"], where)
    recipe = parse(Recipe, raw, where, {"folder": path.parent})
    if head.start is None:
        return recipe
    start = _start(head.start, path, recipe.base, seed)
    if "lora" in raw:
        raise SpilloverError(f"{where}: key lora: training goes on with the adapter of {start.id}; leave lora out.")
    return recipe.model_copy(update={"start": start, "lora": start.lora})


def _preset(lora: dict[str, Any], where: str) -> dict[str, Any]:
    rest = {k: v for k, v in lora.items() if k != "preset"}
    if lora["preset"] not in list(LORA_PRESETS):
        raise SpilloverError(f"{where}: key lora.preset: '{lora['preset']}' is not one of {', '.join(LORA_PRESETS)}.")
    return {**LORA_PRESETS[lora["preset"]], **rest}


def _start(name: str, path: Path, base: str, seed: int | None) -> Recipe:
    """The recipe that training goes on from: beside this one, or bundled."""
    beside = (path.parent / name).resolve()
    if beside == path.resolve() or name == path.stem:
        raise SpilloverError(f"{path}: key start: a recipe cannot start from itself.")
    return load_recipe(str(beside) if is_file(beside) else name, base=base, seed=seed)


_SORTS = ("source", "kind", "from", "preset")


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`: mappings key by key, anything else replaced; a mapping of another source or kind whole."""
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = value
        if isinstance(old, dict) and isinstance(value, dict) and all(value.get(k, old.get(k)) == old.get(k) for k in _SORTS):
            out[key] = merge(old, value)
    return out


def _read(name: str, seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Path, str]:
    """The file's mapping over that of the recipe it extends, its path, and the paths of both for sentences."""
    require_name("recipe", name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else evals_dir() / "recipes" / f"{name}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in (evals_dir() / "recipes").glob("*.yaml"))
        raise unknown("recipe", name, known)
    if path in seen:
        raise SpilloverError(f"{path}: key extends: the recipes extend each other in a circle.")
    raw: dict[str, Any] = read_yaml(path)
    parent = parse(_Head, raw, str(path)).extends
    if parent is None:
        return raw, path, str(path)
    del raw["extends"]
    beside = path.parent / parent
    below, at, where = _read(str(beside) if is_file(beside) else parent, (*seen, path))
    data = below.get("data")
    if at.parent != path.parent and isinstance(data, dict) and "path" in data:
        data["path"] = str(at.parent / str(data["path"]))
    return merge(below, raw), path, f"{path} (extends {where})"
