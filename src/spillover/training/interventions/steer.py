"""Preventive steering: the direction is added while training, so that training need not (Chen et al. 2025, 2507.21509)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions
from spillover.mechanism.layers import hidden, layer_hooks, with_hidden
from spillover.training.interventions.base import Intervention


@dataclass
class Steer(Intervention):
    """Adds `scale` times the contrast between the two sets of system lines to the layers' outputs.

    Attributes:
        directions: From a contrast, whose length is the unit of `scale`.
        scale: 1 moves the stream by as much as the system lines do; negative numbers steer the other way.
    """

    directions: Directions
    scale: float

    def __post_init__(self) -> None:
        if set(self.directions.bases) - set(self.directions.norms):
            raise SpilloverError("Steering needs directions from a contrast, which have a length.")
        if len(self.directions.bases) > 1:  # a contrast at one layer is in all later ones already
            raise SpilloverError("Steering works at one layer; name it in directions.layers.")

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Forward hooks that act in training mode only."""
        with layer_hooks(model, self.directions.bases, self._hook):
            yield

    def _hook(self, layer: int) -> Any:
        push = self.scale * (self.directions.bases[layer] * self.directions.norms[layer][:, None]).sum(0)

        def steered(module: nn.Module, inputs: Any, output: Any) -> Any:
            states: torch.Tensor = hidden(output)
            return with_hidden(output, states + push.to(states)) if module.training else output

        return steered

    def report(self) -> dict[str, Any]:
        """Scale and directions."""
        return {"kind": "steer", "scale": self.scale, "directions": self.directions.summary()}
