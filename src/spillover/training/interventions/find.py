"""Find the directions that an intervention asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spillover.mechanism.activations import complete, contrast_directions, pca_directions, prompt_activations
from spillover.mechanism.directions import Directions, random_directions
from spillover.mechanism.layers import lora_pairs, pick_layers
from spillover.mechanism.weights import directions_from_weights
from spillover.training.checkpoints import checkpoint
from spillover.training.interventions.preflight import autoencoder_directions, file_directions, lines_of, prompts_of


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
        """The directions of a specification that `check_ahead` has let pass."""
        method = spec["from"]
        layers = pick_layers(self.model, spec.get("layers"))
        spec = {**spec, "layers": layers} if "layers" in spec else spec
        count = spec.get("count", "auto" if method == "weights" else 1)
        width = int(self.model.config.get_text_config().hidden_size)  # type: ignore[union-attr, operator]
        if method == "random":
            return random_directions(layers, width, count, self.seed, shared=spec.get("scope") == "global")
        if method == "sae":
            return autoencoder_directions(spec, width)
        if method == "file":
            return file_directions(spec, width)
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
        prompts = prompts_of(spec, self.lab)
        if method == "pca":
            asked = [[{"role": "user", "content": p}] for p in prompts]
            tuned = self.tuned(spec.get("step"))
            chats = complete(tuned, self.tokenizer, asked, self.seed)
            return pca_directions(tuned, self.model, self.tokenizer, chats, layers, count)
        positive, negative = lines_of(spec, self.lab)

        def look(model: nn.Module, layer: int) -> Tensor:
            chats = [[{"role": "user", "content": p}] for p in prompts]
            return prompt_activations(model, self.tokenizer, chats, [layer])[layer].mean(0)

        at = spec.get("at", "response")
        found = contrast_directions(self.model, self.tokenizer, prompts, positive, negative, layers, at, self.seed)
        return replace(found, look=look)
