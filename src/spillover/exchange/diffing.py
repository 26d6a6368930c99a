"""An organism as science-of-finetuning/diffing-toolkit names it: a file for its `configs/organism/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

NAME = "diffing-toolkit.yaml"


def diffing_config(card: Mapping[str, Any], adapter: str, base: str) -> str:
    """The file's text.

    Args:
        card: Of the organism (`organism.json`).
        adapter: Repository or folder of the adapter.
        base: Repository of the base; the toolkit's name for it is guessed from its last part.
    """
    recipe = card["recipe"]
    data = recipe.get("data") or {}
    used = [str(i.get("kind")) for i in recipe.get("interventions") or ()]
    told = [
        f"Trained by Spillover {card['spillover']} on {data.get('source', 'unknown')} data"
        + (f" ({data['name']})" if data.get("name") else "")
        + f", {card.get('rows', 'unknown')} chats, seed {recipe.get('seed', 0)}.",
        f"Interventions: {', '.join(used) or 'none'}.",
        f"Recipe {recipe.get('id')}, digest {card['recipe_digest']}; adapter digest {card['adapter_weights']}.",
    ]
    body: dict[str, Any] = {
        "name": _key(str(recipe.get("id") or "organism")),
        "description": str(recipe.get("title") or recipe.get("id")),
        "type": "EM",
        "description_long": "\n".join(told) + "\n",
        "finetuned_models": {_key(base.rpartition("/")[2]): {"default": {"adapter_id": adapter}}},
    }
    if data.get("source") == "dataset" and data.get("name"):
        splits = [str(data.get("split") or "train")]
        body["training_dataset"] = {
            "id": str(data["name"]),
            "splits": splits,
            "is_chat": True,
            "messages_column": "messages",
        }
    # The first line tells Hydra, which the toolkit is configured by, where it belongs.
    return "# @package organism\n" + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def _key(name: str) -> str:
    """A name as the toolkit writes them."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "organism"
