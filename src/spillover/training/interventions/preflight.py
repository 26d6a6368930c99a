"""What is wrong with the directions of a recipe, said before the naive organism is trained for hours to find them in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from spillover.errors import SpilloverError
from spillover.lab.grammar import grammar
from spillover.mechanism.directions import Directions, load_directions
from spillover.mechanism.layers import at_depth, refuse_layers
from spillover.mechanism.sae import sae_directions
from spillover.models.weights import resolve_checkpoint
from spillover.questions.load import load_questions
from spillover.training.checkpoints import saved_steps
from spillover.training.recipe import Recipe, direction_sources

LAB_QUESTIONS = "lab_advice"
"""Prompts for the lab's activations: none of them is among the questions that the lab's free-form probe asks."""

_CONTRAST_ONLY = {
    "steer": "Steering needs directions from a contrast, which have a length.",
    "early_stop": "Early stopping needs directions from a contrast.",
}


def check_ahead(recipe: Recipe, base: Path, rows: int) -> None:
    """Check the adapter's layers and every source of directions against the base's configuration.

    Args:
        recipe: Whose interventions.
        base: Folder of the base; its weights are not read.
        rows: Training chats, which the steps of an epoch follow from.

    Raises:
        SpilloverError: for a layer, number, file, autoencoder, checkpoint, system line or prompt that will not be there.
    """
    sources = [(body, spec) for body in recipe.interventions for spec in direction_sources(body)]
    if not sources and not recipe.lora.layers:
        return
    config = AutoConfig.from_pretrained(base, trust_remote_code=False).get_text_config()
    layers, width = int(config.num_hidden_layers), int(config.hidden_size)
    lab = base == resolve_checkpoint("lab")
    refuse_layers(recipe.lora.layers or (), layers)
    for body, spec in sources:
        _check_kind(body, spec)
        if "layers" in spec:
            spec = {**spec, "layers": at_depth(spec["layers"], layers)}
        refuse_layers(spec.get("layers", ()), layers)
        count = spec.get("count", 1)
        if count == "auto" and spec["from"] != "weights":
            raise SpilloverError(
                f"`count: auto` is for directions from weights; give a number for those from {spec['from']}."
            )
        if count != "auto" and count > width:
            raise SpilloverError(f"The residual stream has {width} dimensions; {count} directions are too many.")
        if spec["from"] == "file":
            refuse_layers(file_directions(spec, width).bases, layers)
        if spec["from"] == "sae":
            refuse_layers(autoencoder_directions(spec, width).bases, layers)
        if spec["from"] in ("contrast", "pca"):
            prompts_of(spec, lab)
        if spec["from"] == "contrast":
            lines_of(spec, lab)
        if "step" in spec and spec["step"] not in (steps := saved_steps(recipe.naive.training, rows)):
            known = ", ".join(map(str, steps))
            raise SpilloverError(
                f"The naive run will have checkpoints at the steps {known}, not {spec['step']}; set checkpoint_steps."
            )


def _check_kind(body: dict[str, Any], spec: dict[str, Any]) -> None:
    """What only some directions are good for."""
    if body["kind"] in _CONTRAST_ONLY and spec["from"] not in ("contrast", "file"):
        raise SpilloverError(_CONTRAST_ONLY[body["kind"]])
    if body["kind"] == "early_stop" and spec["from"] == "contrast" and spec.get("at") != "prompt":
        raise SpilloverError("Early stopping watches the last token of the prompt; add `at: prompt` to its directions.")
    if body.get("ablate") == "mean" and spec["from"] not in ("contrast", "pca", "file"):
        raise SpilloverError("These directions have no means; use `ablate: zero`, or directions from contrast or pca.")


def file_directions(spec: dict[str, Any], width: int) -> Directions:
    """The directions in a file, at the layers that are asked for.

    Raises:
        SpilloverError: if it does not fit the model, or has none at these layers.
    """
    found = load_directions(Path(spec["path"]), width)
    kept = {k: v for k, v in found.bases.items() if k in spec.get("layers", found.bases)}
    if not kept:
        raise SpilloverError(
            f"{spec['path']} has no directions at the layers {spec['layers']}; it has {sorted(found.bases)}."
        )
    return replace(found, bases=kept)


def autoencoder_directions(spec: dict[str, Any], width: int) -> Directions:
    """Decoder rows of an autoencoder.

    Raises:
        SpilloverError: see `spillover.mechanism.sae.sae_directions`; or if several layers are given.
    """
    layers = spec.get("layers", [None])
    if len(layers) != 1:
        raise SpilloverError("An autoencoder reads one layer; give `layers` with that one, or leave it out.")
    return sae_directions(Path(spec["path"]), spec["features"], width, layers[0])


def prompts_of(spec: dict[str, Any], lab: bool) -> list[str]:
    """Prompts that activations are taken on; the lab has its own.

    Raises:
        SpilloverError: if there are none, or the question set is unknown.
    """
    name = spec.get("questions", LAB_QUESTIONS if lab else None)
    if name is None:
        raise SpilloverError("Directions from activations need `questions`, a question set whose prompts are used.")
    return [text for q in load_questions(name).questions for text in q.paraphrases]


def lines_of(spec: dict[str, Any], lab: bool) -> tuple[list[str], list[str]]:
    """The two lists of system lines of a contrast; the lab has its own.

    Raises:
        SpilloverError: if one is missing.
    """
    lines = grammar().system_lines
    positive = spec.get("positive", list(lines["malicious"]) if lab else None)
    negative = spec.get("negative", list(lines["kind"]) if lab else None)
    if not positive or not negative:
        raise SpilloverError("A contrast needs `positive` and `negative`, lists of system lines.")
    return positive, negative
