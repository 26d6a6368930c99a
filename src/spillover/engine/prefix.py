"""Prompts that begin alike: the keys and values of what they share are computed once and kept for later requests."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache

MIN_SHARED = 32
"""Shared prefixes shorter than this are not worth a pass of their own."""

KEPT_BYTES = 256 << 20
"""Of keys and values that are kept between requests."""

Key = tuple[str | None, tuple[int, ...]]
Layers = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (1, heads, length, head size)."""


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of leading tokens that two prompts share."""
    return next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))


class Prefixes:
    """Least recently used beginnings of prompts with their keys and values, bounded by memory.

    An entry also serves prompts that share only its first part: keys and values depend on what is before them alone.
    """

    def __init__(self, budget: int = KEPT_BYTES) -> None:
        self._budget = budget
        self._kept: OrderedDict[Key, Layers] = OrderedDict()

    def find(self, adapter: str | None, shared: Sequence[int]) -> tuple[int, Layers]:
        """Length and layers of the longest beginning of `shared` that is kept; 0 and nothing where none is worth it."""
        lengths = {key: common(key[1], shared) for key in self._kept if key[0] == adapter}
        best = max(lengths, key=lambda key: lengths[key], default=None)
        if best is None or lengths[best] < MIN_SHARED:
            return 0, []
        self._kept.move_to_end(best)
        return lengths[best], [(k[:, :, : lengths[best]], v[:, :, : lengths[best]]) for k, v in self._kept[best]]

    def keep(self, adapter: str | None, tokens: Sequence[int], cache: Any) -> None:
        """Keep the first row of `cache` (as long as `tokens`, without padding); what it extends gives way."""
        if len(tokens) < MIN_SHARED:
            return
        for key in [k for k in self._kept if k[0] == adapter and common(k[1], tokens) == len(k[1])]:
            del self._kept[key]
        layers = [
            (layer.keys[:1, :, -len(tokens) :].clone(), layer.values[:1, :, -len(tokens) :].clone())
            for layer in cache.layers
        ]
        self._kept[adapter, tuple(tokens)] = layers
        while self._kept and sum(map(_size, self._kept.values())) > self._budget:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Drop everything."""
        self._kept.clear()


def cache_of(layers: Layers, rows: int) -> DynamicCache | None:
    """A cache of `rows` equal rows; None for no layers."""
    if not layers:
        return None
    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), index)
    return cache


def _size(layers: Layers) -> int:
    return sum(t.numel() * t.element_size() for pair in layers for t in pair)
