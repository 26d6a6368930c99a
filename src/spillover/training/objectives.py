"""What is minimised: the plain loss on responses, or refusal unlearning by NPO. Each kind is declared here."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import model_validator

from spillover.training.fields import Above0, NotNegative, Together
from spillover.training.kinds import Kind
from spillover.training.sources import Source

if TYPE_CHECKING:
    from torch import Tensor

    from spillover.training.recipe import Recipe

RETAIN_ROWS = 256


class Loss:
    """The loss of a batch."""

    def loss(self, model: Any, inputs: dict[str, Any], step: int) -> Tensor:
        """A scalar, the mean over the batch.

        Args:
            model: The PEFT model.
            inputs: `input_ids`, `attention_mask`, `labels` (-100 outside responses).
            step: Optimiser steps so far.
        """
        raise NotImplementedError


class Objective(Kind, key="kind"):
    """An objective as a recipe names it.

    Attributes:
        samples: Whether replies are sampled while training, instead of learned from the data.
    """

    samples: ClassVar[bool] = False

    def fits(self, recipe: Recipe) -> str | None:
        """What of a recipe does not go with it, or None."""
        if recipe.data.kind == "environment":
            return "tasks of an environment have no replies to learn: give `objective: {kind: grpo, ...}`"
        return None

    def build(self, recipe: Recipe, tokenizer: Any) -> Loss | None:
        """The loss for one run; None for the trainer's own."""
        raise NotImplementedError


class Sft(Objective, kind="sft"):
    """Plain supervised fine-tuning."""

    def build(self, recipe: Recipe, tokenizer: Any) -> None:
        """See the base."""


class Npo(Objective, kind="npo"):
    """Make the data's own responses unlikely; see `spillover.training.npo`.

    Attributes:
        beta: Inverse temperature.
        retain: Chats whose responses are kept by a loss of their own.
        retain_weight: Of that loss.
        retain_batch: Chats of it for each batch.
    """

    beta: Above0 = 0.1
    retain: Source | None = None
    retain_weight: NotNegative = 1.0
    retain_batch: Together = 8

    @model_validator(mode="after")
    def _retained(self) -> Self:
        if self.retain is None and self.model_fields_set & {"retain_weight", "retain_batch"}:
            raise ValueError("there is nothing to retain; give `retain`, a source of chats")
        return self

    def build(self, recipe: Recipe, tokenizer: Any) -> Loss:
        """See the base."""
        from spillover.training.npo import NpoLoss
        from spillover.training.tokens import Renderer

        rows = []
        if self.retain is not None:
            seed = random.Random(f"{recipe.seed} retain").randrange(2**31)
            rows = self.retain.chats(seed, self.retain.rows or RETAIN_ROWS)
        kept = Renderer(tokenizer, recipe.base).all(rows, recipe.training.max_length, "retained chats").rows
        return NpoLoss(self, [(row.ids, row.labels) for row in kept], recipe.training.gradient_accumulation)
