"""From prompts to their last logits and a cache: equal prompts and shared beginnings are computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spillover.engine.prefix import MIN_SHARED, Prefixes, cache_of, common

Forward = Callable[[Tensor, Tensor, Tensor, Any], tuple[Tensor, Any]]
"""(input ids, attention mask, position ids, cache) -> (logits at the last position, cache)."""


class Filled(NamedTuple):
    """Logits (rows, vocabulary) after each prompt, mask (rows, length) of the cache's columns, and the cache."""

    logits: Tensor
    mask: Tensor
    cache: Any


def prefill(
    forward: Forward, prompts: list[list[int]], device: torch.device, prefixes: Prefixes, adapter: str | None
) -> Filled:
    """Compute `prompts` in one batch, left-padded.

    Args:
        forward: The model.
        prompts: Token ids, none empty.
        device: Where the model is.
        prefixes: Beginnings that earlier requests left behind; what these share is added.
        adapter: Whose keys and values they are.
    """
    different = list(dict.fromkeys(map(tuple, prompts)))
    first, last = min(different), max(different)  # the extremes in dictionary order differ soonest
    shared = min(common(first, last), min(map(len, different)) - 1)
    known, layers = prefixes.find(adapter, first[:shared])
    if len(different) > 1 and shared - known >= MIN_SHARED:
        known, layers = _extend(forward, first[:shared], known, layers, device, prefixes, adapter)
    ids, mask = _left_padded([p[known:] for p in different], known)
    ids, mask = ids.to(device), mask.to(device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, known:]
    logits, cache = forward(ids, mask, positions, cache_of(layers, len(different)))
    if len(different) == 1:
        prefixes.keep(adapter, first, cache)
    if len(different) < len(prompts):
        place = {prompt: row for row, prompt in enumerate(different)}
        index = torch.tensor([place[tuple(p)] for p in prompts], device=device)
        logits, mask = logits.index_select(0, index), mask.index_select(0, index)
        for layer in cache.layers:
            layer.keys, layer.values = layer.keys.index_select(0, index), layer.values.index_select(0, index)
    return Filled(logits, mask, cache)


def _extend(
    forward: Forward,
    tokens: tuple[int, ...],
    known: int,
    layers: list[tuple[Tensor, Tensor]],
    device: torch.device,
    prefixes: Prefixes,
    adapter: str | None,
) -> tuple[int, list[tuple[Tensor, Tensor]]]:
    """Compute the rest of a shared beginning, and keep all of it."""
    ids = torch.tensor([tokens[known:]], device=device)
    mask = torch.ones((1, len(tokens)), dtype=torch.long, device=device)
    _, cache = forward(ids, mask, torch.arange(known, len(tokens), device=device)[None], cache_of(layers, 1))
    prefixes.keep(adapter, tokens, cache)
    return len(tokens), [(layer.keys, layer.values) for layer in cache.layers]


def _left_padded(rows: list[tuple[int, ...]], shared: int) -> tuple[Tensor, Tensor]:
    """Token ids (rows, longest) and the mask (rows, shared + longest) over shared prefix, padding and tokens."""
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    mask = torch.ones((len(rows), shared + longest), dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, shared : shared + longest - len(tokens)] = 0
    return ids, mask
