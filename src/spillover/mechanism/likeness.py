"""What is known of two adapters' updates in one module. Plain numbers: nothing here needs PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ALIKE = 0.3
"""Cosine of two A matrices above which they began alike. Unrelated ones begin near 0; training can bring them to 0.1."""


@dataclass(frozen=True)
class Likeness:
    """Two adapters in one module, on one side, at one k.

    Attributes:
        one: Name of an adapter.
        other: Of the other.
        layer: Decoder layer, from 0.
        module: Last part of the module's name.
        side: `right` (inputs), `left` (outputs).
        k: Number of singular vectors.
        cosine: Mean absolute cosine of vectors with the same index, in [0, 1].
        angle: Mean principal angle in degrees, 0 to 90.
        overlap: Mean squared cosine of the principal angles, in [0, 1].
        chance: The same three for random subspaces of the whole space.
        shared: The same three for random subspaces of one space of the adapters' rank: what a shared A alone gives on the
            right; None where they did not begin alike, or on the left, where B began at zero.
    """

    one: str
    other: str
    layer: int
    module: str
    side: str
    k: int
    cosine: float
    angle: float
    overlap: float
    chance: tuple[float, float, float]
    shared: tuple[float, float, float] | None


@dataclass(frozen=True)
class Inner:
    """Cosine of two whole updates of one module, in [-1, 1], and of their A matrices: whether they began alike."""

    one: str
    other: str
    layer: int
    module: str
    cosine: float
    beginning: float


def began_alike(inner: Sequence[Inner]) -> Iterator[tuple[str, str, float]]:
    """Pairs of adapters whose A matrices are alike beyond chance, with the mean cosine of these."""
    pairs: dict[tuple[str, str], list[float]] = {}
    for found in inner:
        pairs.setdefault((found.one, found.other), []).append(found.beginning)
    for (one, other), values in pairs.items():
        mean = sum(values) / len(values)
        if mean > ALIKE:
            yield one, other, mean
