"""What a recipe says of an intervention, and what an intervention may do, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import model_validator

from spillover.errors import SpilloverError
from spillover.training.directions import DirectionSource, Span
from spillover.training.kinds import Kind

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.mechanism.directions import Directions
    from spillover.training.finder import Finder


class Settings(Kind, key="kind"):
    """An intervention as a recipe names it; a subclass with a kind of its own adds that to what recipes may name.

    Attributes:
        at_end: Whether it acts after the last step only, so that no checkpoint shows it.
    """

    at_end: ClassVar[bool] = False

    @property
    def sources(self) -> tuple[DirectionSource, ...]:
        """Where its directions come from."""
        return ()

    def build(self, finder: Finder) -> Intervention:
        """The intervention for one run.

        Raises:
            SpilloverError: if it can not act with what is found.
        """
        raise NotImplementedError


class Directed(Settings):
    """One that acts along directions: of one source, or the span of several.

    Attributes:
        accepts: Kinds of directions that it can act along.
        needs: What is said of others.
    """

    accepts: ClassVar[tuple[type[DirectionSource], ...]] = (DirectionSource,)
    needs: ClassVar[str] = ""

    directions: Span

    @model_validator(mode="after")
    def _accepted(self) -> Self:
        if not all(isinstance(source, self.accepts) for source in self.sources):
            raise ValueError(self.needs)
        return self

    @property
    def sources(self) -> tuple[DirectionSource, ...]:
        """Where its directions come from."""
        return self.directions if isinstance(self.directions, tuple) else (self.directions,)

    def build(self, finder: Finder) -> Intervention:
        """Find the directions. None at all, by the rotation null, is an answer: nothing is done then, as the report says.

        Raises:
            SpilloverError: if they can not be found, or are no directions.
        """
        from spillover.mechanism.directions import span

        parts = [source.find(finder) for source in self.sources]
        found = parts[0] if len(parts) == 1 else span(parts)
        for layer, rows in found.bases.items():
            if len(rows) == 0 or not rows.isfinite().all():
                raise SpilloverError(f"The directions of {self.kind} at layer {layer} are zero, or no numbers.")
        return self.along(found)

    def along(self, directions: Directions) -> Intervention:
        """The intervention for one run, along these directions.

        Raises:
            SpilloverError: if it can not act along them.
        """
        raise NotImplementedError


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
