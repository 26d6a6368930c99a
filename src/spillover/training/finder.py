"""What directions are found in: the base, and the naive organism."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spillover.mechanism.layers import pick_layers
from spillover.training.checkpoints import checkpoint


@dataclass
class Finder:
    """Loads the models that directions are found in when they are first asked for.

    Attributes:
        base: Folder of the base.
        tokenizer: Of the base.
        naive: Gives the folder of the naive adapter, training it if it must.
        load: Loads the base, or the base with an adapter.
        seed: Of the recipe.
    """

    base: Path
    tokenizer: Any
    naive: Callable[[], Path]
    load: Callable[[Path | None], nn.Module]
    seed: int

    @cached_property
    def model(self) -> nn.Module:
        """The base."""
        return self.load(None).eval()

    @property
    def width(self) -> int:
        """Hidden size."""
        return int(self.model.config.get_text_config().hidden_size)  # type: ignore[union-attr, operator]

    def layers(self, wanted: Iterable[float] | None) -> list[int]:
        """Numbers of the base's layers; see `pick_layers`."""
        return pick_layers(self.model, wanted)

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
