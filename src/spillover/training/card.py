"""Organism cards: what an adapter is, in JSON beside it, so that a figure can be traced to what made it."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from spillover import __version__
from spillover.errors import SpilloverError
from spillover.models.identity import installed
from spillover.schema import check_schema, parse_json
from spillover.training.checkpoints import processes
from spillover.training.recipe import Recipe
from spillover.writing import write_json

NAME = "organism.json"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "spillover",
        "recipe",
        "recipe_digest",
        "base_weights",
        "adapter_weights",
        "environment",
        "loss",
        "seconds",
    ],
    "properties": {
        "spillover": {"type": "string"},
        "recipe": {"type": "object"},
        "recipe_digest": {"type": "string"},
        "base_weights": {"type": "string"},
        "adapter_weights": {"type": "string"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "loss": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["step", "loss"],
                "properties": {"step": {"type": "integer"}, "loss": {"type": "number"}},
            },
        },
        "curves": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}},
        "held_out_loss": {"type": "array", "items": {"type": "object"}},  # of cards before there were curves
        "interventions": {"type": "array", "items": {"type": "object"}},
        "checkpoints": {"type": "object", "additionalProperties": {"type": "string"}},
        "rollouts": {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "number"}}},
        "onset": {"type": ["integer", "null"]},
        "rows": {"type": "integer"},
        "chats": {"type": "object", "additionalProperties": {"type": "integer"}},
        "held_out_rows": {"type": "integer"},
        "trainable_parameters": {"type": "integer"},
        "seconds": {"type": "number"},
    },
}


def write_card(
    folder: Path,
    recipe: Recipe,
    *,
    base_weights: str,
    adapter_weights: str,
    loss: list[dict[str, float]],
    curves: dict[str, list[dict[str, float]]],
    interventions: list[dict[str, Any]],
    checkpoints: dict[str, str],
    rows: int,
    chats: dict[str, int],
    held_out_rows: int,
    trainable: int,
    seconds: float,
    rollouts: list[dict[str, float]] | None = None,
    onset: int | None = None,
) -> None:
    """Write the card of a finished organism. Its presence means that the training run completed."""
    card = {
        "spillover": __version__,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_digest": recipe.digest,
        "base_weights": base_weights,
        "adapter_weights": adapter_weights,
        "environment": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "processes": str(processes()),
            **installed(),
        },
        "loss": loss,
        "curves": curves,
        "interventions": interventions,
        "checkpoints": checkpoints,
        "chats": chats,
        "rows": rows,
        "held_out_rows": held_out_rows,
        "trainable_parameters": trainable,
        "seconds": round(seconds, 1),
        **({"rollouts": rollouts, "onset": onset} if rollouts else {}),
    }
    write_json(folder / NAME, card)


def read_card(folder: Path) -> dict[str, Any] | None:
    """The card in `folder`, or None when there is none (an unfinished run).

    Raises:
        SpilloverError: if it is there but malformed.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        card: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpilloverError(f"{path} is not valid JSON ({error}); delete the folder and train again.") from error
    check_schema(card, SCHEMA, str(path))
    return card
