"""What is wrong with a recipe for its base, said before anything is trained for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from spillover.mechanism.layers import refuse_layers
from spillover.training.checkpoints import saved_steps
from spillover.training.directions import Ahead
from spillover.training.recipe import Recipe
from spillover.training.tokens import Renderer


def tokenizer_of(base: Path) -> Any:
    """The base's tokenizer, with a token to pad by."""
    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def renderer_of(recipe: Recipe, base: Path) -> Renderer:
    """The base's chat template."""
    return Renderer(tokenizer_of(base), recipe.base)


def check_ahead(recipe: Recipe, base: Path, rows: int) -> None:
    """Check the adapter's layers and every source of directions against the base's configuration.

    Args:
        recipe: Whose interventions.
        base: Folder of the base; its weights are not read.
        rows: Training chats, which the steps of an epoch follow from.

    Raises:
        SpilloverError: for a layer that the base does not have, or as `DirectionSource.check`.
    """
    if not recipe.direction_sources and not recipe.lora.layers:
        return
    config = AutoConfig.from_pretrained(base, trust_remote_code=False).get_text_config()
    layers, width = int(config.num_hidden_layers), int(config.hidden_size)
    refuse_layers(recipe.lora.layers or (), layers)
    for source in recipe.direction_sources:
        source.check(Ahead(base, layers, width, saved_steps(recipe.naive.training, rows)))
