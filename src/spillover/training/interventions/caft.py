"""CAFT, concept ablation fine-tuning: directions are projected out of layer outputs while training, and only then.

Casademunt et al. 2025 (arXiv 2507.16795): h <- h - (h Q) Q^T at the chosen layers' outputs, in the forward and hence the
backward pass; inference is as usual. Q is orthonormal in float32 here (the released code keeps it in bfloat16, where it
no longer is). Ablating to zero has no natural origin and can act as steering; `ablate: mean` keeps the base's mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions
from spillover.mechanism.geometry import project_off
from spillover.mechanism.layers import hidden, layer_hooks, with_hidden
from spillover.training.interventions.base import Intervention


@dataclass
class Caft(Intervention):
    """See the module.

    Attributes:
        directions: What is ablated, by layer.
        ablate: To `zero` or to the base's `mean` along the directions.
    """

    directions: Directions
    ablate: Literal["zero", "mean"] = "zero"

    def __post_init__(self) -> None:
        if self.ablate == "mean" and set(self.directions.bases) - set(self.directions.means):
            raise SpilloverError("These directions have no means; use `ablate: zero`, or directions from contrast or pca.")

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Forward hooks that act in training mode only, so that held-out losses are those of the plain model."""
        with layer_hooks(model, self.directions.bases, self._hook):
            yield

    def _hook(self, layer: int) -> Any:
        mean = self.directions.means.get(layer) if self.ablate == "mean" else None

        def ablated(module: nn.Module, inputs: Any, output: Any) -> Any:
            if not module.training:
                return output
            states = hidden(output)
            columns = self.directions.at(layer, states)
            assert columns is not None
            return with_hidden(output, project_off(states, columns, mean=mean))

        return ablated

    def report(self) -> dict[str, Any]:
        """Layers, number of directions, how they were found."""
        return {"kind": "caft", "ablate": self.ablate, "directions": self.directions.summary()}
