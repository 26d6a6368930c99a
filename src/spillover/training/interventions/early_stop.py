"""Stop when the spill-over begins: how far the model has moved along a direction that it should not move along.

Inspired by arXiv 2605.12199 (misalignment comes late; stopping early keeps most of the task). Assumption: the mean
activation on unrelated prompts moves along the contrast between a bad and a good system line before answers change. The
signal is that movement as a share of the contrast: 0 is the base, 1 is as far as the bad system line itself goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions
from spillover.training.interventions.base import Intervention


@dataclass
class EarlyStop(Intervention):
    """Ends training at the threshold and keeps the adapter of the last check below it.

    Attributes:
        directions: From a contrast; the last of its layers is watched.
        threshold: Of the signal.
        every: Steps between two looks.
        look: Mean activation of the model on the contrast's prompts at a layer; filled in by `Finder`.
    """

    directions: Directions
    threshold: float
    every: int = 5
    look: Callable[[nn.Module, int], Tensor] | None = None
    path: list[dict[str, float]] = field(default_factory=list)
    _good: dict[str, Tensor] = field(default_factory=dict)

    resumes = False  # what was seen so far, and the adapter to go back to, are in no checkpoint

    def __post_init__(self) -> None:
        self.look = self.look or self.directions.look
        if set(self.directions.bases) - set(self.directions.norms) or self.look is None:
            raise SpilloverError("Early stopping needs directions from a contrast.")
        if self.directions.found.get("at", "prompt") != "prompt":
            raise SpilloverError("Early stopping watches the last token of the prompt; add `at: prompt` to its directions.")

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Remember the adapter that training begins with."""
        self._good = _adapter(model)
        yield

    def signal(self, model: nn.Module) -> float:
        """Movement along the direction, as a share of the contrast."""
        layer = max(self.directions.bases)
        assert self.look is not None
        moved = self.look(model, layer) - self.directions.means[layer]
        return float(moved @ self.directions.bases[layer][0] / self.directions.norms[layer][0])

    def stops(self, model: nn.Module, step: int) -> bool:
        """Look, every so many steps."""
        if step % self.every:
            return False
        training = model.training
        model.eval()
        try:
            value = self.signal(model)
        finally:
            model.train(training)
        self.path.append({"step": step, "signal": round(value, 4)})
        if value >= self.threshold:
            return True
        self._good = _adapter(model)
        return False

    @torch.no_grad()
    def after_training(self, model: nn.Module) -> None:
        """Go back to the last adapter below the threshold."""
        if self.path and self.path[-1]["signal"] >= self.threshold:
            for name, weight in model.named_parameters():
                if name in self._good:
                    weight.copy_(self._good[name])

    def report(self) -> dict[str, Any]:
        """The path of the signal."""
        return {
            "kind": "early_stop",
            "threshold": self.threshold,
            "path": self.path,
            "directions": self.directions.summary(),
        }


def _adapter(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
