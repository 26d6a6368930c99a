"""Find the directions that an intervention asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.lab.grammar import grammar
from spillover.mechanism.activations import complete, contrast_directions, pca_directions, prompt_activations
from spillover.mechanism.directions import Directions, load_directions, random_directions
from spillover.mechanism.layers import lora_pairs, pick_layers
from spillover.mechanism.sae import sae_directions
from spillover.mechanism.weights import directions_from_weights
from spillover.questions.load import load_questions
from spillover.training.checkpoints import checkpoint

LAB_QUESTIONS = "lab_advice"
"""Prompts for the lab's activations: none of them is among the questions that the lab's free-form probe asks."""


@dataclass
class Finder:
    """What directions are found in.

    Attributes:
        base: Folder of the base.
        lab: Whether the base is the lab's, whose system lines and prompts are known.
        tokenizer: Of the base.
        naive: Gives the folder of the naive adapter, training it if it must.
        load: Loads the base, or the base with an adapter.
        seed: Of the recipe.
    """

    base: Path
    lab: bool
    tokenizer: Any
    naive: Callable[[], Path]
    load: Callable[[Path | None], nn.Module]
    seed: int

    @cached_property
    def model(self) -> nn.Module:
        """The base."""
        return self.load(None).eval()

    def tuned(self, step: int | None) -> nn.Module:
        """The naive organism, or one of its checkpoints.

        Raises:
            SpilloverError: if it has no checkpoint at that step.
        """
        folder = self.naive()
        if step is None:
            return self.load(folder).eval()
        return self.load(checkpoint(folder, step)).eval()

    def forget(self) -> None:
        """Let go of the base."""
        self.__dict__.pop("model", None)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def find(self, spec: dict[str, Any]) -> Directions:
        """The directions of a specification.

        Raises:
            SpilloverError: for a layer that the model does not have, or system lines and prompts that must be given.
        """
        method = spec["from"]
        layers = pick_layers(self.model, tuple(spec["layers"]) if "layers" in spec else None)
        if method == "sae" and len(spec.get("layers", (0,))) != 1:
            raise SpilloverError("An autoencoder reads one layer; give `layers` with that one, or leave it out.")
        count = spec.get("count", "auto" if method == "weights" else 1)
        if method != "weights" and count == "auto":
            raise SpilloverError(f"`count: auto` is for directions from weights; give a number for those from {method}.")
        width = int(self.model.config.get_text_config().hidden_size)  # type: ignore[union-attr, operator]
        if method == "random":
            return random_directions(layers, width, count, self.seed, shared=spec.get("scope") == "global")
        if method == "sae":
            found = sae_directions(Path(spec["path"]), spec["features"], width, layers[0] if "layers" in spec else None)
            pick_layers(self.model, tuple(found.bases))
            return found
        if method == "file":
            found = load_directions(Path(spec["path"]), width)
            pick_layers(self.model, tuple(found.bases))
            kept = found.bases if "layers" not in spec else {k: v for k, v in found.bases.items() if k in layers}
            if not kept:
                raise SpilloverError(
                    f"{spec['path']} has no directions at the layers {layers}; it has {sorted(found.bases)}."
                )
            return replace(found, bases=kept)
        if method == "weights":
            tuned = self.tuned(spec.get("step"))
            return directions_from_weights(
                tuned,
                lora_pairs(tuned),
                None if count == "auto" else count,
                spec.get("scope", "layer"),
                layers,
                spec.get("read", False),
                self.seed,
            )
        prompts = self._prompts(spec)
        if method == "pca":
            asked = [[{"role": "user", "content": p}] for p in prompts]
            tuned = self.tuned(spec.get("step"))
            chats = complete(tuned, self.tokenizer, asked, self.seed)
            return pca_directions(tuned, self.model, self.tokenizer, chats, layers, count)
        positive, negative = self._lines(spec)

        def look(model: nn.Module, layer: int) -> Tensor:
            chats = [[{"role": "user", "content": p}] for p in prompts]
            return prompt_activations(model, self.tokenizer, chats, [layer])[layer].mean(0)

        at = spec.get("at", "response")
        found = contrast_directions(self.model, self.tokenizer, prompts, positive, negative, layers, at, self.seed)
        return replace(found, look=look)

    def _prompts(self, spec: dict[str, Any]) -> list[str]:
        name = spec.get("questions", LAB_QUESTIONS if self.lab else None)
        if name is None:
            raise SpilloverError("Directions from activations need `questions`, a question set whose prompts are used.")
        return [text for q in load_questions(name).questions for text in q.paraphrases]

    def _lines(self, spec: dict[str, Any]) -> tuple[list[str], list[str]]:
        lines = grammar().system_lines
        positive = spec.get("positive", list(lines["malicious"]) if self.lab else None)
        negative = spec.get("negative", list(lines["kind"]) if self.lab else None)
        if not positive or not negative:
            raise SpilloverError("A contrast needs `positive` and `negative`, lists of system lines.")
        return positive, negative
