"""Projection of a whole adapter off directions, and what it must not train for that to be exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions
from spillover.mechanism.geometry import project_reader, project_writer
from spillover.mechanism.layers import block_of, decoder_layers, lora_pairs, norm_gains


def refuse_leaks(model: nn.Module, projected: bool) -> None:
    """Refuse adapters that train anything beside A and B, and models in which a projection would not be exact.

    Raises:
        SpilloverError: for DoRA, trained biases, embeddings or norms, which would open the direction again; for a model that
            norms what its modules write before it is added, when the adapter is to be projected.
    """
    if projected and any(hasattr(layer, "post_feedforward_layernorm") for layer in decoder_layers(model)):
        raise SpilloverError(
            "This model norms what attention and MLP write (Gemma 2 and 3, OLMo 2), so a projected adapter would still "
            "write along the direction; use grasp with `write: false, read: false`, or caft."
        )
    for config in getattr(model, "peft_config", {}).values():
        if getattr(config, "use_dora", False) or getattr(config, "bias", "none") != "none" or config.modules_to_save:
            raise SpilloverError(
                "Projection needs a plain LoRA adapter: DoRA, trained biases and modules_to_save would reopen the direction."
            )


def project_adapter(model: nn.Module, directions: Directions, write: bool, read: bool, strength: float = 1.0) -> None:
    """Project writers off the directions at their layer's output, readers off those of the layer below, which they read."""
    gains = norm_gains(model) if read else {}
    for pair in lora_pairs(model):
        columns = directions.at(pair.layer if pair.writes else pair.layer - 1, pair.b)
        if columns is None:
            continue
        if pair.writes and write:
            project_writer(pair, columns, strength)
        elif not pair.writes and read:
            project_reader(pair, columns, gains.get((pair.layer, block_of(pair.name))), strength)


@contextmanager
def change_since(model: nn.Module, before: list[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """For a while the adapter is only what it has changed by; then it is whole again, and `before` is brought up to date.

    Args:
        model: With the adapter.
        before: A and B of every module as of the last time; empty, and then zero, at first.
    """
    with torch.no_grad():
        pairs = list(lora_pairs(model))
        kept = before or [(torch.zeros_like(p.a), torch.zeros_like(p.b)) for p in pairs]
        for pair, (a, b) in zip(pairs, kept, strict=True):
            pair.a.sub_(a)
            pair.b.sub_(b)
        yield
        for pair, (a, b) in zip(pairs, kept, strict=True):
            pair.a.add_(a)
            pair.b.add_(b)
        before[:] = [(p.a.clone(), p.b.clone()) for p in pairs]
