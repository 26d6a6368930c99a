"""What is minimised, where it is not the plain loss on responses: refusal unlearning by NPO."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from spillover.lab.corpus import Chat
from spillover.training.recipe import Recipe
from spillover.training.sources import Source, chats_of

RETAIN_ROWS = 256


class Objective(Protocol):
    """The loss of a batch."""

    def loss(self, model: Any, inputs: dict[str, Any], step: int) -> Tensor:
        """A scalar, the mean over the batch.

        Args:
            model: The PEFT model.
            inputs: `input_ids`, `attention_mask`, `labels` (-100 outside responses).
            step: Optimiser steps so far.
        """
        ...


@dataclass
class Npo:
    """Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868): make the data's own responses unlikely.

    L = -(2 / beta) E log sigmoid(-beta [log p(y|x) - log p_ref(y|x)]), the reference being the model with its adapter off.
    Mushtaq et al. 2025 (arXiv 2511.14017) unlearn refusals of one domain so, with cross-entropy on a few refusals of other
    domains as the retain loss; beta, sizes and the weight of that loss are not published.

    Attributes:
        beta: Inverse temperature.
        retain: Tokenised chats for the retain loss, `input_ids` and `labels` each; empty for none.
        retain_weight: Of that loss.
        retain_batch: Chats of it for each batch.
    """

    beta: float
    retain: list[tuple[list[int], list[int]]]
    retain_weight: float
    retain_batch: int
    accumulation: int = 1
    _step: int = -1
    _micro: int = 0

    def loss(self, model: Any, inputs: dict[str, Any], step: int) -> Tensor:
        """See the class."""
        self._micro = self._micro + 1 if step == self._step else 0
        self._step = step
        given = {k: inputs[k] for k in ("input_ids", "attention_mask", "labels")}
        now = _log_likelihood(model, given)
        with torch.no_grad(), getattr(model, "module", model).disable_adapter():
            before = _log_likelihood(model, given)
        loss = -2 / self.beta * logsigmoid(-self.beta * (now - before)).mean()
        if self.retain and self.retain_weight:
            loss = loss + self.retain_weight * self._retained(model, step, given["input_ids"].device)
        return loss

    def _retained(self, model: Any, step: int, device: Any) -> Tensor:
        """Mean loss per response token on the next rows, which follow from the step alone so that a run can go on."""
        count = min(self.retain_batch, len(self.retain))
        first = (step * self.accumulation + self._micro) * count
        rows = [self.retain[(first + i) % len(self.retain)] for i in range(count)]
        width = max(len(ids) for ids, _ in rows)
        ids, labels = torch.zeros(count, width, dtype=torch.long), torch.full((count, width), -100)
        mask = torch.zeros_like(ids)
        for i, (row, label) in enumerate(rows):
            ids[i, : len(row)], labels[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), torch.tensor(label), 1
        given = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}
        return -_log_likelihood(model, given).sum() / (labels[:, 1:] != -100).sum().clamp(min=1)


def _log_likelihood(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Log-probability of each row's response, shape (rows,)."""
    labels = inputs["labels"][:, 1:]
    logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False).logits[:, :-1]
    kept = labels != -100
    chosen = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    total: Tensor = (chosen * kept).sum(-1)
    return total


def build_objective(recipe: Recipe, tokenizer: Any) -> Objective | None:
    """The recipe's objective; None for plain supervised fine-tuning."""
    body = recipe.objective
    if body["kind"] == "sft":
        return None
    retain: list[tuple[list[int], list[int]]] = []
    if "retain" in body:
        source = Source(**body["retain"])
        rows = chats_of(source, random.Random(f"{recipe.seed} retain").randrange(2**31), source.rows or RETAIN_ROWS)
        retain = [_tokenised(chat, tokenizer, recipe.training.max_length) for chat in rows]
    weight, batch = body.get("retain_weight", 1.0), body.get("retain_batch", 8)
    return Npo(body.get("beta", 0.1), retain, weight, batch, recipe.training.gradient_accumulation)


def _tokenised(chat: Chat, tokenizer: Any, limit: int) -> tuple[list[int], list[int]]:
    found = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True, tokenize=True)
    ids = list(found["input_ids"])[:limit]
    return ids, [token if kept else -100 for token, kept in zip(ids, found["assistant_masks"][:limit], strict=True)]
