"""Fit a small top-k sparse autoencoder to activations (Gao et al. 2024, arXiv 2406.04093).

Encoder and decoder begin tied, and dead latents are revived.

SAE Lens trains large ones and is what to use for them; this one needs nothing but the activations and minutes on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.mechanism.autoencoder import Autoencoder

BATCH = 1024
RATE = 1e-3
DEAD_AFTER = 100
"""Steps without a token that it is active for, after which a latent counts as dead."""
MEASURED = 50_000
"""Tokens that scale, variance and fit are measured over."""
REVIVAL = 1 / 32
"""Weight of the loss by which dead latents learn what the others leave over (Gao et al., section 2.4)."""


def fit_autoencoder(
    states: Tensor,
    features: int,
    active: int,
    layer: int,
    steps: int = 2000,
    seed: int = 0,
    advance: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> Autoencoder:
    """Fit one.

    Args:
        states: Activations, shape (tokens, hidden), of any float type.
        features: Number of latents.
        active: Of them for each token.
        layer: Whose output the states are.
        steps: Of `BATCH` tokens each.
        seed: Of the beginning and the order.
        advance: Told (steps done, all steps, share of the variance that is left).

    Returns:
        With `unexplained` (share of the variance that is left) and `dead` (share of latents that are never active) over the
        first `MEASURED` tokens in `told`; decoder rows have length 1, so latents are in the units of the residual stream.

    Raises:
        SpilloverError: if there are fewer tokens than latents, or more active latents than there are.
    """
    tokens, hidden = states.shape
    if not 0 < active <= features:
        raise SpilloverError(f"{active} active latents of {features}: take at least one and at most all of them.")
    if tokens < features:
        raise SpilloverError(f"{tokens} tokens are too few for {features} latents; give more texts or fewer --features.")
    sample = states[:MEASURED].float()
    scale = float(sample.norm(dim=1).mean()) / hidden**0.5
    mean = sample.mean(0) / scale
    variance = float((sample / scale - mean).pow(2).sum(1).mean())
    if not scale > 0 or not variance > 0 or variance != variance:
        raise SpilloverError("The activations are all alike or no numbers; an autoencoder has nothing to learn from them.")
    generator = torch.Generator().manual_seed(seed)
    rows = nn.functional.normalize(torch.randn(features, hidden, generator=generator), dim=1)
    decoder, encoder = nn.Parameter(rows.clone()), nn.Parameter(rows.T.clone())
    bias, centre = nn.Parameter(torch.zeros(features)), nn.Parameter(mean)
    optimizer = torch.optim.Adam([decoder, encoder, bias, centre], lr=RATE)
    since = torch.zeros(features)
    left = 1.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 5 * (steps - step) / steps)
        given = states[torch.randint(tokens, (min(BATCH, tokens),), generator=generator)].float() / scale
        before = (given - centre) @ encoder + bias
        latents = _largest(before, active)
        error = given - latents @ decoder - centre
        loss = error.pow(2).sum(1).mean() / variance
        left = float(loss.detach())
        if left != left:
            raise SpilloverError("The activations hold numbers that are none or infinite; an autoencoder cannot be fitted.")
        since += 1
        since[(latents > 0).any(0)] = 0
        dead = since > DEAD_AFTER
        if int(dead.sum()) >= active:
            idle = _largest(before.masked_fill(~dead, -torch.inf), min(2 * active, int(dead.sum())))
            loss = loss + REVIVAL * (error.detach() - idle @ decoder).pow(2).sum(1).mean() / variance
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            decoder.div_(decoder.norm(dim=1, keepdim=True))
        advance(step + 1, steps, f"variance left {left:.3f}")
    told: dict[str, Any] = {"tokens": tokens, "steps": steps, "seed": seed, "trained_by": "spillover"}
    made = Autoencoder(
        encoder.detach(), scale * bias.detach(), decoder.detach(), scale * centre.detach(), layer=layer, active=active
    )
    with torch.no_grad():
        off, alive = 0.0, torch.zeros(features, dtype=torch.bool)
        for part in torch.split(sample, BATCH):
            latents = made.encode(part)
            off += float((part - made.decode(latents)).pow(2).sum())
            alive |= (latents > 0).any(0)
        off /= float((sample - sample.mean(0)).pow(2).sum())
    told |= {"unexplained": round(off, 4), "dead": round(1 - float(alive.float().mean()), 4)}
    return replace(made, told=told)


def _largest(before: Tensor, count: int) -> Tensor:
    values, places = before.topk(count, dim=1)
    return torch.zeros_like(before).scatter(1, places, values.relu())
