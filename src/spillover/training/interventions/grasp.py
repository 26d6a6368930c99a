"""Gradient and adapter projection off directions found in a naive adapter's weights. Inspired by GRASP.

GRASP (Gilligan-Lee et al. 2026, arXiv 2605.27676) is public as an abstract only: a spurious direction is extracted from
the LoRA updates of a naive fine-tune, without supervision, and gradients are projected so that no new reliance on it is
learned while what the pre-trained model keeps along it stays. What is assumed here:

* the gradient of the residual stream, at the outputs of the chosen layers, loses its part along the directions; the
  forward pass is untouched (CAFT, in contrast, removes the factor from the stream);
* AdamW scales every entry by itself and so leaks through a projected gradient. Optionally the adapter is projected after
  every optimiser step: `write` makes the update write nothing along a direction (U^T B A = 0), `read` makes it read
  nothing along it (B A (gain * U) = 0, seen through the norm's gain). These two hold exactly.

`PostHoc` projects a finished naive adapter instead: the baseline that needs no second training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from spillover.training.fields import Share
from spillover.training.interventions.base import Directed, Intervention

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions


class GraspSettings(Directed, kind="grasp"):
    """What is projected.

    Attributes:
        gradient: Whether the residual stream's gradient is.
        write: Whether B is, after every step.
        read: Whether A is.
        strength: 1 takes all of it.
    """

    gradient: bool = True
    write: bool = True
    read: bool = True
    strength: Share = 1.0

    def along(self, directions: Directions) -> Grasp:
        """See the base."""
        return Grasp(self, directions)


class PostHocSettings(Directed, kind="posthoc"):
    """As for `grasp`, once."""

    at_end: ClassVar[bool] = True

    write: bool = True
    read: bool = False
    strength: Share = 1.0

    def along(self, directions: Directions) -> PostHoc:
        """See the base."""
        return PostHoc(self, directions)


@dataclass
class Grasp(Intervention):
    """See the module. With no directions at all nothing is done."""

    settings: GraspSettings
    directions: Directions
    _before: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resumes = self.settings.strength == 1  # else what each step changed is in no checkpoint

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Hooks for the gradient; A is projected once before the first step."""
        from spillover.mechanism.adapters import refuse_leaks
        from spillover.mechanism.layers import training_hooks

        refuse_leaks(model, self.settings.write or self.settings.read)
        self._before = []
        self.after_step(model)
        with training_hooks(model, self.directions.bases if self.settings.gradient else (), self._guarded):
            yield

    def _guarded(self, layer: int, states: Tensor) -> Tensor:
        from spillover.mechanism.geometry import gradient_off

        columns = self.directions.at(layer, states)
        return states if columns is None else gradient_off(states, columns, self.settings.strength)

    def after_step(self, model: nn.Module) -> None:
        """Put the adapter back off the directions; at less than full strength take a share of each step's change only."""
        from spillover.mechanism.adapters import change_since, project_adapter

        told = self.settings
        if not (told.write or told.read):
            return
        if told.strength == 1:
            project_adapter(model, self.directions, told.write, told.read)
            return
        with change_since(model, self._before):
            project_adapter(model, self.directions, told.write, told.read, told.strength)

    def report(self) -> dict[str, Any]:
        """Layers, number of directions with eigenvalues and null, sides."""
        told = self.settings
        sides = {"gradient": told.gradient, "write": told.write, "read": told.read, "strength": told.strength}
        return {"kind": "grasp", **sides, "directions": self.directions.summary()}


@dataclass
class PostHoc(Intervention):
    """Project the trained adapter once, at the end."""

    settings: PostHocSettings
    directions: Directions

    def after_training(self, model: nn.Module) -> None:
        """Project."""
        from spillover.mechanism.adapters import project_adapter, refuse_leaks

        refuse_leaks(model, True)
        project_adapter(model, self.directions, self.settings.write, self.settings.read, self.settings.strength)

    def report(self) -> dict[str, Any]:
        """As `Grasp`."""
        told = self.settings
        sides = {"write": told.write, "read": told.read, "strength": told.strength}
        return {"kind": "posthoc", **sides, "directions": self.directions.summary()}
