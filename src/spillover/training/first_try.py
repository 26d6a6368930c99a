"""A recipe cut to its first steps: does all of it work on this base? Its organism is worth nothing else."""

from __future__ import annotations

from typing import Any

from spillover.training.directions import DirectionSource
from spillover.training.recipe import Recipe
from spillover.training.transforms import First

MAX_LENGTH = 512
"""Tokens of a chat at most."""
GROUP, TOKENS = 4, 32
"""Of reinforcement: roll-outs of one task, and tokens of one at most."""
PROMPTS = 8
"""That directions are found on."""


def first_steps(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with so many optimiser steps of one batch or group each, on its first chats; its start is cut alike.

    Directions of a checkpoint are found in the last one, since there is no other, and those from activations on few prompts.
    """
    training, sampled = recipe.training, recipe.objective.samples
    short = training.model_copy(
        update={
            "steps": steps if training.steps is None else min(steps, training.steps),
            "batch_size": GROUP if sampled else training.batch_size,
            "gradient_accumulation": 1,
            "warmup_steps": 0,
            "max_length": training.max_length if sampled else min(MAX_LENGTH, training.max_length),
            "checkpoint_steps": None,
        }
    )
    cut = First(rows=max(2, steps) * (GROUP if sampled else training.batch_size))
    changed: dict[str, Any] = {
        "training": short,
        **({"objective": recipe.objective.model_copy(update={"group": GROUP, "max_tokens": TOKENS})} if sampled else {}),
        "transforms": (*recipe.transforms, cut),
        "watch": {},
        "interventions": tuple(map(_brief, recipe.interventions)),
        "start": first_steps(recipe.start, steps) if recipe.start else None,
    }
    return recipe.model_copy(update=changed)


def _brief(found: Any) -> Any:
    """Settings whose sources of directions name no checkpoint and take few prompts."""
    if isinstance(found, tuple):
        return tuple(map(_brief, found))
    if isinstance(found, DirectionSource):
        less = {"step": None} if getattr(found, "step", None) is not None else {}
        return found.model_copy(update=less | ({"first": PROMPTS} if hasattr(found, "first") else {}))
    sources = {
        name: value
        for name in type(found).model_fields
        if isinstance(value := getattr(found, name), DirectionSource | tuple)
    }
    return found.model_copy(update={k: _brief(v) for k, v in sources.items() if _has_source(v)})


def _has_source(value: Any) -> bool:
    return isinstance(value, DirectionSource) or any(isinstance(v, DirectionSource) for v in value)
