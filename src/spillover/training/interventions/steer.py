"""Preventive steering: the direction is added while training, so that training need not (Chen et al. 2025, 2507.21509)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spillover.errors import SpilloverError
from spillover.training.directions import Contrast, DirectionSource, FileDirections
from spillover.training.fields import Number
from spillover.training.interventions.base import Directed, Intervention

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions


class SteerSettings(Directed, kind="steer"):
    """Directions from a contrast, whose length is the unit of `scale`.

    Attributes:
        scale: 1 moves the stream by as much as the system lines do; negative numbers steer the other way.
    """

    accepts = (Contrast, FileDirections)
    needs = "Steering needs directions from a contrast, which have a length."

    directions: DirectionSource
    scale: Number

    def along(self, directions: Directions) -> Steer:
        """See the base."""
        return Steer(self, directions)


@dataclass
class Steer(Intervention):
    """Adds `scale` times the contrast between the two sets of system lines to the layers' outputs."""

    settings: SteerSettings
    directions: Directions

    def __post_init__(self) -> None:
        if set(self.directions.bases) - set(self.directions.norms):
            raise SpilloverError(self.settings.needs)
        if len(self.directions.bases) > 1:  # a contrast at one layer is in all later ones already
            raise SpilloverError("Steering works at one layer; name it in directions.layers.")

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Act in training mode only."""
        from spillover.mechanism.layers import training_hooks

        with training_hooks(model, self.directions.bases, self._steered):
            yield

    def _steered(self, layer: int, states: Tensor) -> Tensor:
        contrast = (self.directions.bases[layer] * self.directions.norms[layer][:, None]).sum(0)
        return states + (self.settings.scale * contrast).to(states)

    def report(self) -> dict[str, Any]:
        """Scale and directions."""
        return {"kind": "steer", "scale": self.settings.scale, "directions": self.directions.summary()}
