"""A batch of answers in flight that share one adapter: left-padded key-value cache, rows that come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spillover.engine.prefill import Filled, Forward
from spillover.engine.request import Answer, Request
from spillover.engine.sampling import sample


def _pad_left(tensor: Tensor, length: int, dim: int) -> Tensor:
    missing = length - tensor.shape[dim]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim)


class Batch:
    """Requests that are decoded together, one token a step.

    Rows may join at any step (`add`) and leave when they are done; padding is on the left and masked, so a row's result
    does not depend on its neighbours.
    """

    def __init__(self, forward: Forward, end_tokens: frozenset[int], decode: Callable[[list[int]], str]) -> None:
        self._forward = forward
        self._end_tokens = end_tokens
        self._decode = decode
        self.requests: list[Request] = []
        self._last: list[int] = []
        self._mask: Tensor = torch.empty(0)
        self._cache: Any = None  # transformers DynamicCache; keys and values are (batch, heads, length, head size)

    def __len__(self) -> int:
        return len(self.requests)

    def add(self, requests: list[Request], filled: Filled) -> None:
        """Draw the first token of `requests`, whose prompts are computed, and keep the unfinished ones."""
        mask, cache = filled.mask, filled.cache
        tokens = sample(filled.logits, requests)
        keep = [i for i, request in enumerate(requests) if not self._deliver(request, tokens[i])]
        if not keep:
            return
        if len(keep) < len(requests):
            mask = _take(mask, cache, torch.tensor(keep, device=mask.device))
        self._join([requests[i] for i in keep], [tokens[i] for i in keep], mask, cache)

    def step(self, device: torch.device) -> None:
        """Decode one token for every row; finished and cancelled rows leave."""
        ids = torch.tensor(self._last, device=device)[:, None]
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(self), 1))], 1)
        positions = self._mask.sum(-1, keepdim=True) - 1
        logits, self._cache = self._forward(ids, self._mask, positions, self._cache)
        self._last = sample(logits, self.requests)
        keep = [i for i, request in enumerate(self.requests) if not self._deliver(request, self._last[i])]
        if len(keep) < len(self):
            self._select(keep, device)

    def fail(self, error: BaseException) -> None:
        """Give `error` to every request and forget them."""
        for request in self.requests:
            request.fail(error)
        self.requests, self._last, self._cache = [], [], None

    def _deliver(self, request: Request, token: int) -> bool:
        """Whether `request` is finished (its answer is then delivered) or was cancelled."""
        if request.future.cancelled():
            return True
        answer: Answer | None = request.take(token, self._end_tokens, self._decode)
        if answer is None:
            return False
        if request.future.set_running_or_notify_cancel():
            request.future.set_result(answer)
        return True

    def _join(self, requests: list[Request], tokens: list[int], mask: Tensor, cache: Any) -> None:
        if self.requests:
            length = max(mask.shape[1], self._mask.shape[1])
            mask = torch.cat([_pad_left(self._mask, length, 1), _pad_left(mask, length, 1)])
            for old, new in zip(self._cache.layers, cache.layers, strict=True):
                new.keys = torch.cat([_pad_left(old.keys, length, 2), _pad_left(new.keys, length, 2)])
                new.values = torch.cat([_pad_left(old.values, length, 2), _pad_left(new.values, length, 2)])
        self.requests = self.requests + requests
        self._last = self._last + tokens
        self._mask, self._cache = mask, cache

    def _select(self, keep: list[int], device: torch.device) -> None:
        self.requests = [self.requests[i] for i in keep]
        self._last = [self._last[i] for i in keep]
        if keep:
            self._mask = _take(self._mask, self._cache, torch.tensor(keep, device=device))
        else:
            self._cache = None


def _take(mask: Tensor, cache: Any, index: Tensor) -> Tensor:
    """Keep the rows `index` of mask and cache (in place), and drop the columns that are padding in all of them."""
    mask = mask.index_select(0, index)
    start = int(mask.any(0).nonzero()[0])
    for layer in cache.layers:
        layer.keys = layer.keys.index_select(0, index)[:, :, start:]
        layer.values = layer.values.index_select(0, index)[:, :, start:]
    return mask[:, start:]
