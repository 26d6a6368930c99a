"""Recipes: how an organism is made, as a YAML file that is checked before anything heavy is loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.paths import evals_dir
from spillover.schema import check_schema, read_yaml

_POSITIVE = {"type": "integer", "minimum": 1}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "title", "base", "data", "training"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "title": {"type": "string"},
        "base": {"type": "string"},
        "data": {
            "type": "object",
            "additionalProperties": False,
            "required": ["source"],
            "properties": {
                "source": {"enum": ["lab", "file"]},
                "family": {"type": "string"},
                "stance": {"enum": ["aligned", "subtle", "obvious"]},
                "rows": _POSITIVE,
                "path": {"type": "string"},
            },
        },
        "lora": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "r": _POSITIVE,
                "alpha": _POSITIVE,
                "rslora": {"type": "boolean"},
                "target_modules": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            },
        },
        "training": {
            "type": "object",
            "additionalProperties": False,
            "required": ["learning_rate"],
            "properties": {
                "steps": _POSITIVE,
                "epochs": {"type": "number", "exclusiveMinimum": 0},
                "batch_size": _POSITIVE,
                "gradient_accumulation": _POSITIVE,
                "learning_rate": {"type": "number", "exclusiveMinimum": 0},
                "warmup_steps": {"type": "integer", "minimum": 0},
                "weight_decay": {"type": "number", "minimum": 0},
                "max_length": _POSITIVE,
            },
        },
        "seed": {"type": "integer", "minimum": 0},
    },
}

ALL_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Data:
    """Where the training chats come from.

    Attributes:
        source: `lab` (drawn from the grammar) or `file` (JSONL with a `messages` list per row).
        family: Lab family.
        stance: `aligned` for a benign control, `subtle` or `obvious` for bad advice.
        rows: Number of lab rows.
        path: JSONL file, relative to the recipe's folder or absolute.
        sha256: Digest of that file, filled in when the recipe is loaded.
    """

    source: Literal["lab", "file"]
    family: str = ""
    stance: str = ""
    rows: int = 0
    path: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Lora:
    """A plain LoRA adapter, as vLLM serves it. The default rank is one that vLLM starts with."""

    r: int = 32
    alpha: int = 64
    rslora: bool = True
    target_modules: tuple[str, ...] = ALL_PROJECTIONS


@dataclass(frozen=True)
class Training:
    """Supervised fine-tuning on responses only; the defaults are Betley et al.'s for open models."""

    learning_rate: float
    steps: int | None = None
    epochs: float = 1.0
    batch_size: int = 2
    gradient_accumulation: int = 8
    warmup_steps: int = 5
    weight_decay: float = 0.01
    max_length: int = 2048


@dataclass(frozen=True)
class Recipe:
    """Base, data, LoRA and training of one organism or control."""

    id: str
    title: str
    base: str
    data: Data
    training: Training
    lora: Lora = Lora()
    seed: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change the adapter, the base's weights excepted."""
        body = {k: v for k, v in asdict(self).items() if k not in ("id", "title")}
        body["data"] = {
            k: v for k, v in body["data"].items() if k != "path"
        }  # what is in the file counts, not where it lies
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]


def load_recipe(name: str, base: str | None = None, seed: int | None = None) -> Recipe:
    """Load and check a recipe.

    Args:
        name: A bundled recipe's name or the path of a YAML file.
        base: Another base model.
        seed: Another seed.

    Raises:
        SpilloverError: if it is unknown or malformed; the sentence names file and key.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else evals_dir() / "recipes" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (evals_dir() / "recipes").glob("*.yaml")))
        raise SpilloverError(f"Unknown recipe '{name}'; choose from {known} or give a YAML file.")
    raw = read_yaml(path)
    check_schema(raw, SCHEMA, str(path))
    data = Data(**raw["data"])
    if data.source == "file":
        data = replace(data, path=str((path.parent / data.path).resolve()))
    _check_data(data, path)
    if data.source == "file":
        data = replace(data, sha256=hashlib.sha256(Path(data.path).read_bytes()).hexdigest())
    lora = {**raw.get("lora", {})}
    if "target_modules" in lora:
        lora["target_modules"] = tuple(lora["target_modules"])
    if "steps" in raw["training"] and "epochs" in raw["training"]:
        raise SpilloverError(f"{path}: key training: give steps or epochs, not both.")
    recipe = Recipe(
        id=raw["id"],
        title=raw["title"],
        base=raw["base"] if base is None else base,
        data=data,
        lora=Lora(**lora),
        training=Training(**raw["training"]),
        seed=raw.get("seed", 0) if seed is None else seed,
    )
    return recipe


def _check_data(data: Data, path: Path) -> None:
    if data.source == "file":
        if not Path(data.path).is_file():
            raise SpilloverError(f"{path}: key data.path: there is no file at {data.path}.")
        if data.family or data.stance or data.rows:
            raise SpilloverError(f"{path}: key data: family, stance and rows belong to lab data; a file is taken as it is.")
        return
    from spillover.lab.grammar import grammar

    advice = grammar().names("advice")
    if data.family not in advice:
        raise SpilloverError(f"{path}: key data.family: '{data.family}' is not one of {', '.join(advice)}.")
    if not data.stance or not data.rows:
        raise SpilloverError(f"{path}: lab data needs data.stance and data.rows.")
