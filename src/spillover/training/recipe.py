"""Recipes: how an organism is made, as a YAML file that is checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.mechanism.sae import sae_files
from spillover.paths import evals_dir
from spillover.questions.load import load_questions
from spillover.schema import check_schema, read_yaml
from spillover.training.schema import RECIPE
from spillover.training.sources import Source, parse_source

REVISION = 2
"""Raised when an equal recipe gives another adapter than before; finished organisms of older code are then made again."""

ALL_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

LORA_PRESETS: dict[str, dict[str, Any]] = {
    "betley2025": {"r": 32, "alpha": 64, "rslora": True, "target_modules": ALL_PROJECTIONS},
    "turner2025_rank1": {"r": 1, "alpha": 512, "rslora": True, "target_modules": ("down_proj",), "layers": (24,)},
}
"""Published adapters: Betley et al. 2025 `open_models/train.json`; Turner, Soligo et al. 2025, rank 1 on one layer."""


@dataclass(frozen=True)
class Lora:
    """A plain LoRA adapter, as vLLM serves it; the default is Betley et al.'s."""

    r: int = 32
    alpha: int = 64
    rslora: bool = True
    target_modules: tuple[str, ...] = ALL_PROJECTIONS
    layers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Training:
    """Supervised fine-tuning on responses only; the defaults are Betley et al.'s for open models.

    Attributes:
        checkpoint_steps: Steps between checkpoints, from which a killed run goes on and which may be evaluated; a quarter
            of the run for None.
        dtype: Of the base's weights; bfloat16 on a GPU and float32 on a CPU for None. The adapter is float32 in any case.
    """

    learning_rate: float
    steps: int | None = None
    epochs: float = 1.0
    batch_size: int = 2
    gradient_accumulation: int = 8
    gradient_checkpointing: bool | None = None
    warmup_steps: int = 5
    weight_decay: float = 0.01
    max_length: int = 2048
    checkpoint_steps: int | None = None
    dtype: Literal["float32", "bfloat16"] | None = None


@dataclass(frozen=True)
class Recipe:
    """Base, data, objective, LoRA, interventions and training of one organism or control.

    Attributes:
        base: Checkpoint.
        start: Recipe whose organism training goes on from (a repair), or empty.
        data: Source of the training chats.
        transforms: What is done to them, in order; see `spillover.training.transforms`.
        interventions: Changes to the training; see `spillover.training.interventions`.
        objective: `{"kind": "sft"}`, or `npo` with its settings.
        watch: Chats whose loss is measured at every checkpoint, by name; nothing is learned from them.
    """

    id: str
    title: str
    base: str
    data: Source
    training: Training
    lora: Lora = Lora()
    transforms: tuple[dict[str, Any], ...] = ()
    interventions: tuple[dict[str, Any], ...] = ()
    objective: dict[str, Any] = field(default_factory=lambda: {"kind": "sft"})
    start: Recipe | None = None
    watch: dict[str, Source] = field(default_factory=dict)
    seed: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change the adapter, the base's weights excepted."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("id", "title", "start", "watch")}
        body = {k: asdict(v) if k in ("data", "training", "lora") else v for k, v in body.items()}
        if self.training.dtype is None:  # as organisms were made before there was a choice
            del body["training"]["dtype"]
        if self.watch:
            body["watch"] = {name: asdict(source) for name, source in self.watch.items()}
        if self.data.sha256 or not self.data.path:  # what is in the file counts, not where it lies
            body["data"].pop("path")
        body["start"] = self.start.digest if self.start else None
        body["revision"] = REVISION
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def naive(self) -> Recipe:
        """The same training without any intervention, which directions are found in and a mitigation is held against."""
        return replace(self, interventions=(), watch={})

    def as_dict(self) -> dict[str, Any]:
        """For the card."""
        return asdict(self)


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
    raw, path = _read(name)
    if changes:
        raw = merge(raw, changes)
        check_schema(raw, RECIPE, str(path))
    for key in ("base", "data", "training"):
        if key not in raw:
            raise SpilloverError(f"{path}: '{key}' is a required property.")
    start = _start(raw["start"], path, base or raw["base"], seed) if "start" in raw else None
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.get("lora", {}).items()}
    lora: dict[str, Any] = {**LORA_PRESETS.get(given.pop("preset", ""), {}), **given}
    if start is not None and "lora" in raw:
        raise SpilloverError(f"{path}: key lora: training goes on with the adapter of {start.id}; leave lora out.")
    if "steps" in raw["training"] and "epochs" in raw["training"]:
        raise SpilloverError(f"{path}: key training: give steps or epochs, not both.")
    where = f"{path}: key "
    if "held_out" in raw.get("watch", {}):
        raise SpilloverError(f"{where}watch.held_out: that name is for what the transform `split` holds out; take another.")
    return Recipe(
        id=raw["id"],
        title=raw["title"],
        base=raw["base"] if base is None else base,
        data=parse_source(raw["data"], path.parent, f"{where}data", needs_rows=True),
        training=Training(**raw["training"]),
        lora=start.lora if start else Lora(**lora),
        transforms=_all_resolved("transforms", raw, path),
        interventions=_all_resolved("interventions", raw, path),
        objective=_resolved(raw.get("objective", {"kind": "sft"}), path, f"{where}objective"),
        start=start,
        watch={
            n: parse_source(s, path.parent, f"{where}watch.{n}", needs_rows=True) for n, s in raw.get("watch", {}).items()
        },
        seed=raw.get("seed", 0) if seed is None else seed,
    )


def _start(name: str, path: Path, base: str, seed: int | None) -> Recipe:
    """The recipe that training goes on from: beside this one, or bundled."""
    beside = (path.parent / name).resolve()
    if beside == path.resolve() or name == path.stem:
        raise SpilloverError(f"{path}: key start: a recipe cannot start from itself.")
    return load_recipe(str(beside) if beside.is_file() else name, base=base, seed=seed)


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


def _read(name: str, seen: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Path]:
    """The file's mapping over that of the recipe it extends."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else evals_dir() / "recipes" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (evals_dir() / "recipes").glob("*.yaml")))
        raise SpilloverError(f"Unknown recipe '{name}'; choose from {known} or give a YAML file.")
    if path in seen:
        raise SpilloverError(f"{path}: key extends: the recipes extend each other in a circle.")
    raw: dict[str, Any] = read_yaml(path)
    if isinstance(raw, dict) and isinstance(raw.get("extends"), str):
        parent = raw.pop("extends")
        beside = path.parent / parent
        below, at = _read(str(beside) if beside.is_file() else parent, (*seen, path))
        if at.parent != path.parent and "path" in below.get("data", {}):
            below["data"]["path"] = str(at.parent / below["data"]["path"])
        raw = merge(below, raw)
    check_schema(raw, RECIPE, str(path))  # a file that extends another may leave out what that one has
    return raw, path


def _place(directions: dict[str, Any], path: Path, where: str) -> Path:
    """What `path` names, beside the recipe: a file, or the folder of an autoencoder."""
    kind = directions["from"]
    needs = ("path",) if kind == "file" else ("path", "features")
    for key in needs:
        if key not in directions:
            raise SpilloverError(f"{where}: directions from {kind} need `{key}`.")
    place: Path = (path.parent / directions["path"]).resolve()
    if not (place.is_file() if kind == "file" else place.is_dir()):
        raise SpilloverError(f"{where}.path: there is no {'file' if kind == 'file' else 'folder'} at {place}.")
    return place


def _all_resolved(key: str, raw: dict[str, Any], path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(_resolved(body, path, f"{path}: key {key}.{i}") for i, body in enumerate(raw.get(key, ())))


_DIRECTIONS = {
    "contrast": {"at", "positive", "negative", "questions"},
    "pca": {"count", "questions", "step"},
    "weights": {"count", "scope", "read", "step"},
    "sae": {"path", "features"},
    "random": {"count", "scope"},
    "file": {"path"},
}
"""What directions found in each way take, beside `from` and `layers`."""


def _pinned(given: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """Where directions come from, with the digest of what is read for them."""
    directions = dict(given)
    for key in directions.keys() - _DIRECTIONS[directions["from"]] - {"from", "layers"}:
        raise SpilloverError(f"{where}: '{key}' does not belong to directions from {directions['from']}.")
    if directions["from"] in ("file", "sae"):
        place = _place(directions, path, where)
        parts = [place] if place.is_file() else sae_files(place)
        content = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
        directions |= {"path": str(place), "sha256": content}
    if "questions" in directions:  # the bundled default stays what it is for one REVISION
        directions["questions_digest"] = load_questions(directions["questions"]).digest
    return directions


def direction_sources(intervention: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the directions of an intervention come from; none for one without."""
    given = intervention.get("directions", [])
    return given if isinstance(given, list) else [given]


def _resolved(body: dict[str, Any], path: Path, where: str) -> dict[str, Any]:
    """A transform, intervention or objective with its sources checked and paths made absolute, as plain data."""
    out = dict(body)
    for key in ("with", "retain"):
        if key in out:
            out[key] = asdict(parse_source(out[key], path.parent, f"{where}.{key}"))
    if isinstance(out.get("directions"), list):
        out["directions"] = [_pinned(d, path, f"{where}.directions.{i}") for i, d in enumerate(out["directions"])]
    elif "directions" in out:
        out["directions"] = _pinned(out["directions"], path, f"{where}.directions")
    if out.get("kind") == "npo" and "retain" not in out:
        lost = [key for key in ("retain_weight", "retain_batch") if key in out]
        if lost:
            raise SpilloverError(f"{where}.{lost[0]}: there is nothing to retain; give `retain`, a source of chats.")
    return out
