"""What an intervention may do, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Intervention:
    """Does nothing; each kind overrides what it needs. An instance belongs to one run.

    Attributes:
        resumes: Whether a run can go on from a checkpoint; one whose state is not in it begins again.
    """

    resumes = True

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Hooks and whatever else must be in place while training; gone afterwards, also after an exception."""
        yield

    def after_step(self, model: nn.Module) -> None:
        """After every optimiser step."""

    def extra_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor | None:
        """A scalar to add to the loss of a batch."""
        return None

    def stops(self, model: nn.Module, step: int) -> bool:
        """Whether training ends after this step."""
        return False

    def after_training(self, model: nn.Module) -> None:
        """Once, before the adapter is saved."""

    def report(self) -> dict[str, Any]:
        """For the organism card: what was found and done."""
        return {}
