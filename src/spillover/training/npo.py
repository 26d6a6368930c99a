"""Negative preference optimisation, the loss of refusal unlearning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from spillover.training.objectives import Loss, Npo


@dataclass
class NpoLoss(Loss):
    """Negative preference optimisation (Zhang et al. 2024, arXiv 2404.05868): make the data's own responses unlikely.

    L = -(2 / beta) E log sigmoid(-beta [log p(y|x) - log p_ref(y|x)]), the reference being the model with its adapter off.
    Mushtaq et al. 2025 (arXiv 2511.14017) unlearn refusals of one domain so, with cross-entropy on a few refusals of other
    domains as the retain loss; beta, sizes and the weight of that loss are not published.

    Attributes:
        settings: Beta, and weight and batch size of the retain loss.
        retain: Tokenised chats for that loss, `input_ids` and `labels` each; empty for none.
        accumulation: Batches a step.
    """

    settings: Npo
    retain: list[tuple[list[int], list[int]]]
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
        beta = self.settings.beta
        loss = -2 / beta * logsigmoid(-beta * (now - before)).mean()
        if self.retain and self.settings.retain_weight:
            loss = loss + self.settings.retain_weight * self._retained(model, step, given["input_ids"].device)
        return loss

    def _retained(self, model: Any, step: int, device: Any) -> Tensor:
        """Mean loss per response token on the next rows, which follow from the step alone so that a run can go on."""
        count = min(self.settings.retain_batch, len(self.retain))
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
