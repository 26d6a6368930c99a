"""Stop when the spill-over begins: how far the model has moved along a direction that it should not move along.

Inspired by arXiv 2605.12199 (misalignment comes late; stopping early keeps most of the task). Assumption: the mean
activation on unrelated prompts moves along the contrast between a bad and a good system line before answers change. The
signal is that movement as a share of the contrast: 0 is the base, 1 is as far as the bad system line itself goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import model_validator

from spillover.errors import SpilloverError
from spillover.training.directions import Contrast, DirectionSource, FileDirections
from spillover.training.fields import Number, Positive
from spillover.training.interventions.base import Directed, Intervention

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions

_NOT_THE_PROMPT = "Early stopping watches the last token of the prompt; add `at: prompt` to its directions."


class EarlyStopSettings(Directed, kind="early_stop"):
    """What is watched: a contrast at the last of its layers.

    Attributes:
        threshold: Of the signal.
        every: Steps between two looks.
    """

    accepts = (Contrast, FileDirections)
    needs = "Early stopping needs directions from a contrast."

    directions: DirectionSource
    threshold: Number
    every: Positive = 5

    @model_validator(mode="after")
    def _prompt(self) -> Self:
        if isinstance(self.directions, Contrast) and self.directions.at != "prompt":
            raise ValueError(_NOT_THE_PROMPT)
        return self

    def along(self, directions: Directions) -> EarlyStop:
        """See the base."""
        return EarlyStop(self, directions)


@dataclass
class EarlyStop(Intervention):
    """Ends training at the threshold and keeps the adapter of the last check below it.

    Attributes:
        path: Signal at every look.
    """

    settings: EarlyStopSettings
    directions: Directions
    path: list[dict[str, float]] = field(default_factory=list)
    _good: dict[str, Tensor] = field(default_factory=dict)

    resumes = False  # what was seen so far, and the adapter to go back to, are in no checkpoint

    def __post_init__(self) -> None:
        if set(self.directions.bases) - set(self.directions.norms) or self.directions.look is None:
            raise SpilloverError(self.settings.needs)
        if self.directions.found.get("at", "prompt") != "prompt":
            raise SpilloverError(_NOT_THE_PROMPT)

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Remember the adapter that training begins with."""
        self._good = _adapter(model)
        yield

    def signal(self, model: nn.Module) -> float:
        """Movement along the direction, as a share of the contrast."""
        layer = max(self.directions.bases)
        assert self.directions.look is not None
        moved = self.directions.look(model, layer) - self.directions.means[layer]
        return float(moved @ self.directions.bases[layer][0] / self.directions.norms[layer][0])

    def stops(self, model: nn.Module, step: int) -> bool:
        """Look, every so many steps."""
        if step % self.settings.every:
            return False
        training = model.training
        model.eval()
        try:
            value = self.signal(model)
        finally:
            model.train(training)
        self.path.append({"step": step, "signal": round(value, 4)})
        if value >= self.settings.threshold:
            return True
        self._good = _adapter(model)
        return False

    def after_training(self, model: nn.Module) -> None:
        """Go back to the last adapter below the threshold."""
        import torch

        if self.path and self.path[-1]["signal"] >= self.settings.threshold:
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if name in self._good:
                        weight.copy_(self._good[name])

    def report(self) -> dict[str, Any]:
        """The path of the signal."""
        return {
            "kind": "early_stop",
            "threshold": self.settings.threshold,
            "path": self.path,
            "directions": self.directions.summary(),
        }


def _adapter(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
