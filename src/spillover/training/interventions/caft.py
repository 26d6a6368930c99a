"""CAFT, concept ablation fine-tuning: directions are projected out of layer outputs while training, and only then.

Casademunt et al. 2025 (arXiv 2507.16795): h <- h - (h Q) Q^T at the chosen layers' outputs, in the forward and hence the
backward pass; inference is as usual. Q is orthonormal in float32 here (the released code keeps it in bfloat16, where it
no longer is). Ablating to zero has no natural origin and can act as steering; `ablate: mean` keeps the base's mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from spillover.errors import SpilloverError
from spillover.training.directions import Contrast, FileDirections, Pca
from spillover.training.interventions.base import Directed, Intervention

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions

_NO_MEANS = "These directions have no means; use `ablate: zero`, or directions from contrast or pca."


class CaftSettings(Directed, kind="caft"):
    """What is ablated, to `zero` or to the base's `mean` along the directions."""

    ablate: Literal["zero", "mean"] = "zero"

    @model_validator(mode="after")
    def _means(self) -> Self:
        if self.ablate == "mean" and not all(isinstance(s, Contrast | Pca | FileDirections) for s in self.sources):
            raise ValueError(_NO_MEANS)
        return self

    def along(self, directions: Directions) -> Caft:
        """See the base."""
        return Caft(self, directions)


@dataclass
class Caft(Intervention):
    """See the module."""

    settings: CaftSettings
    directions: Directions

    def __post_init__(self) -> None:
        if self.settings.ablate == "mean" and set(self.directions.bases) - set(self.directions.means):
            raise SpilloverError(_NO_MEANS)

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Act in training mode only, so that held-out losses are those of the plain model."""
        from spillover.mechanism.layers import training_hooks

        with training_hooks(model, self.directions.bases, self._ablated):
            yield

    def _ablated(self, layer: int, states: Tensor) -> Tensor:
        from spillover.mechanism.geometry import project_off

        columns = self.directions.at(layer, states)
        assert columns is not None
        mean = self.directions.means[layer] if self.settings.ablate == "mean" else None
        return project_off(states, columns, mean=mean)

    def report(self) -> dict[str, Any]:
        """Layers, number of directions, how they were found."""
        return {"kind": "caft", "ablate": self.settings.ablate, "directions": self.directions.summary()}
