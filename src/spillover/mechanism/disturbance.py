"""How much an ablation disturbs a model on neutral text, and random directions whose ablation disturbs as much.

Ablation at one layer is written over by the next ones, and ablation of anything at all may break a model a little. So the
control for an ablation is not one random direction: it is as many as disturb neutral text alike. (A control that is matched
so is in senku14x/What-Triggers-Emergent-Misalignment; ours is matched by the number of directions.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spillover.mechanism.activations import Chat, encoded
from spillover.mechanism.directions import Directions, random_directions
from spillover.mechanism.steering import Change, Steering

BATCH = 16


@torch.no_grad()
def disturbance(model: nn.Module, tokenizer: Any, chats: Sequence[Chat], steering: Steering) -> float:
    """KL divergence of the changed model from the plain one at response tokens, in nats, mean over them."""
    device = next(model.parameters()).device
    total, count = 0.0, 0
    for start in range(0, len(chats), BATCH):
        ids, mask, response = (t.to(device) for t in encoded(tokenizer, chats[start : start + BATCH], prompt_only=False))
        kept = response[:, 1:]
        before = model(input_ids=ids, attention_mask=mask).logits[:, :-1][kept].float().log_softmax(-1)
        with steering.attached(model):
            after = model(input_ids=ids, attention_mask=mask).logits[:, :-1][kept].float().log_softmax(-1)
        total += float((before.exp() * (before - after)).sum())
        count += int(kept.sum())
    return total / max(1, count)


def ablation_of(directions: Directions) -> Steering:
    """Their ablation at every layer, down to the mean that they have."""
    made = Steering((), 0, 0)
    made.parts = [(Change("ablate", Path(), None, 1.0), directions)]
    return made


def matched_random(
    model: nn.Module, tokenizer: Any, chats: Sequence[Chat], directions: Directions, seed: int
) -> tuple[Directions, float, float]:
    """Random directions at the same layers, as many as disturb neutral text like these when they are taken out.

    Args:
        model: The base.
        tokenizer: Of it.
        chats: Neutral chats that end with a reply.
        directions: What is to be matched; with means.
        seed: Of the draw.

    Returns:
        The random directions, the disturbance of `directions`, and theirs.
    """
    layers = sorted(directions.bases)
    width = directions.bases[layers[0]].shape[1]
    wanted = disturbance(model, tokenizer, chats, ablation_of(directions))
    drawn = random_directions(layers, width, width // 2, seed)

    def first(count: int) -> Directions:
        return replace(drawn, bases={k: v[:count] for k, v in drawn.bases.items()}, means=directions.means)

    low, high = 1, width // 2
    while low < high:  # more directions disturb more, so the first count that reaches it is found by halving
        middle = (low + high) // 2
        if disturbance(model, tokenizer, chats, ablation_of(first(middle))) < wanted:
            low = middle + 1
        else:
            high = middle
    around = [first(count) for count in {max(1, low - 1), low}]
    reached = [disturbance(model, tokenizer, chats, ablation_of(d)) for d in around]
    best = min(range(len(around)), key=lambda i: abs(reached[i] - wanted))
    return around[best], wanted, reached[best]
