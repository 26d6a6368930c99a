"""A direction that a probe learned: logistic regression between activations with and without a trait.

Probes are the usual way to read a concept out of a model (Alain and Bengio 2016, arXiv 1610.01644). Unlike the difference
of means, a probe leaves out what the two groups differ in by chance along directions that vary much anyway.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from spillover.errors import SpilloverError
from spillover.stats.ranking import auc

PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the squared weights, for each answer; the one under which prompts that were left out are told best is taken."""
FOLDS, STEPS = 5, 60


def trained_direction(with_trait: Tensor, without: Tensor, prompts: Sequence[int]) -> tuple[Tensor, dict[str, float]]:
    """The weights of the probe, towards the trait, and how well it tells prompts that it did not learn from.

    Args:
        with_trait: Mean activation of each answer, shape (answers, hidden).
        without: The same without the trait, of any number of answers.
        prompts: Which prompt each answer is to, those with the trait first; answers to one prompt are left out together.

    Returns:
        A direction of shape (hidden,), not normalised, and `accuracy`, `auc` (both from 0 to 1, of answers to prompts that
        were left out; NaN for a single prompt) and `penalty`.

    Raises:
        SpilloverError: for activations that are not finite.
    """
    rows = torch.cat([with_trait, without]).double()
    if not rows.isfinite().all():
        raise SpilloverError("The activations hold numbers that are not finite, so there is nothing to learn from.")
    labels = torch.cat([torch.ones(len(with_trait)), torch.zeros(len(without))]).double()
    groups = torch.tensor(list(prompts))
    centre = rows.mean(0)
    scale = (rows - centre).norm(dim=1).mean().clamp(min=1e-30)  # one number, so that weights stay a direction of the stream
    rows = (rows - centre) / scale
    folds = groups % min(FOLDS, int(groups.max()) + 1)
    parts = sorted(set(folds.tolist()))
    best, told = PENALTIES[-1], {"accuracy": float("nan"), "auc": float("nan")}
    least = float("inf")
    for penalty in PENALTIES if len(parts) > 1 else ():
        logits = torch.zeros_like(labels)
        for fold in parts:
            out = folds == fold
            weights, bias = _fit(rows[~out], labels[~out], penalty)
            logits[out] = rows[out] @ weights + bias
        loss = float(binary_cross_entropy_with_logits(logits, labels))
        if loss < least:
            least, best = loss, penalty
            told = {
                "accuracy": float(((logits > 0) == labels.bool()).double().mean()),
                "auc": auc(labels.numpy() == 0, logits.numpy()),
            }
    weights, _ = _fit(rows, labels, best)
    return (weights / scale).float(), {**told, "penalty": best}


def _fit(rows: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    weights = torch.zeros(rows.shape[1], dtype=rows.dtype, requires_grad=True)
    bias = torch.zeros((), dtype=rows.dtype, requires_grad=True)
    solver = torch.optim.LBFGS([weights, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = binary_cross_entropy_with_logits(rows @ weights + bias, labels) + penalty * weights.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        solver.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach(), bias.detach()
