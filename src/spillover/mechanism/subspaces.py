"""How alike the updates of two adapters are, module by module, beside what chance and a shared beginning would give.

Definitions of Arturi et al. 2025 (arXiv 2511.02022, as their notebooks compute them): of the first k right singular
vectors of `scale * B A`, the absolute cosine of vectors with the same index, the mean principal angle, and the projection
overlap `sum cos^2 / k`. Added here: the left singular vectors, the inner product of whole updates, and nulls. Right singular
vectors of an update lie in the row space of A; adapters that began with the same A share that space for this reason alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from functools import cache
from itertools import combinations

import torch
from torch import Tensor

from spillover.errors import SpilloverError
from spillover.mechanism.files import AdapterFile, Factors, layer_of, thin_svd
from spillover.mechanism.likeness import ALIKE, Inner, Likeness

KS = (1, 4, 16, 20)
"""Numbers of singular vectors; the paper's are 16 for the overlap and 20 for angle and cosine."""
DRAWS = 24
"""Of random subspaces, for the nulls that have no closed form."""


def compare(
    adapters: Sequence[AdapterFile],
    ks: Sequence[int] = KS,
    told: Callable[[int, int], None] = lambda done, total: None,
    pairs: Container[tuple[str, str]] | None = None,
) -> tuple[list[Likeness], list[Inner]]:
    """Pairs of adapters in every module that all of them have, one module in memory at a time.

    Args:
        adapters: Two or more.
        ks: Numbers of singular vectors; those above an adapter's rank are cut to it.
        told: Told (modules done, modules).
        pairs: Names of those that are wanted; every pair for None.

    Raises:
        SpilloverError: if they are of different bases, or share no module.
    """
    modules = shared_modules(adapters)
    live: set[str] = set()
    likeness: list[Likeness] = []
    inner: list[Inner] = []
    for done, module in enumerate(modules, start=1):
        factors = [adapter.factors(module) for adapter in adapters]
        shapes = {(f.b.shape[0], f.a.shape[1]) for f in factors}
        if len(shapes) > 1:
            raise SpilloverError(
                f"{module} has another size in each adapter ({sorted(shapes)}): they are of different bases."
            )
        thin = [thin_svd(f) for f in factors]
        live |= {a.name for a, (_, s, _) in zip(adapters, thin, strict=True) if len(s)}
        place = (layer_of(module), module.rpartition(".")[2])
        for i, j in combinations(range(len(adapters)), 2):
            names = (adapters[i].name, adapters[j].name)
            if pairs is not None and names not in pairs:
                continue
            beginning = _cosine(factors[i].a, factors[j].a)
            inner.append(Inner(*names, *place, _update_cosine(factors[i], factors[j]), beginning))
            rank = min(factors[i].a.shape[0], factors[j].a.shape[0])
            for side, which in (("left", 0), ("right", 2)):
                one, other = thin[i][which], thin[j][which]
                for k in sorted({min(k, one.shape[1], other.shape[1]) for k in ks} - {0}):
                    found = alike(one[:, :k], other[:, :k])
                    alone = beginning > ALIKE and side == "right"
                    null = random_pair(k, rank) if alone else None
                    likeness.append(Likeness(*names, *place, side, k, *found, random_pair(k, one.shape[0]), null))
        told(done, len(modules))
    nothing = next((a.name for a in adapters if a.name not in live), None)
    if nothing is not None:
        raise SpilloverError(f"The update of {nothing} is zero in every module: there is nothing to compare.")
    return likeness, inner


def shared_modules(adapters: Sequence[AdapterFile]) -> list[str]:
    """Modules that every adapter has, in order.

    Raises:
        SpilloverError: if two adapters are of different bases by what they say, or none is shared.
    """
    if len(adapters) < 2:
        raise SpilloverError("Give two adapters or more: one alone has nothing to be compared with.")
    for place in (0, 1):
        known = {a.base[place]: a.name for a in adapters if a.base[place]}
        if len(known) > 1:
            (one, first), (other, second) = list(known.items())[:2]
            raise SpilloverError(
                f"{first} and {second} were trained on different bases ({one}, {other}); their updates have no common space."
            )
        if known:
            break  # digests say more than names
    found = [m for m in adapters[0].modules if all(m in a.modules for a in adapters)]
    if not found:
        raise SpilloverError(f"{adapters[0].name} and {adapters[1].name} adapt different modules; none is in all of them.")
    return found


def alike(one: Tensor, other: Tensor) -> tuple[float, float, float]:
    """(mean absolute cosine by index, mean principal angle in degrees, overlap) of orthonormal bases, shape (size, k)."""
    between = one.T @ other
    cosines = torch.linalg.svdvals(between).clamp(0, 1)
    angle = float(torch.rad2deg(torch.arccos(cosines)).mean())
    return float(between.diagonal().abs().mean()), angle, float((cosines**2).mean())


@cache
def random_pair(k: int, size: int) -> tuple[float, float, float]:
    """What `alike` gives for two random k-dimensional subspaces of so many dimensions.

    The overlap is k / size exactly; cosine is exact too (of random unit vectors); the angle is the mean of `DRAWS` draws.
    """
    exact = math.exp(math.lgamma(size / 2) - math.lgamma((size + 1) / 2)) / math.sqrt(math.pi) if size > 1 else 1.0
    if k >= size:
        return exact, 0.0, 1.0
    generator = torch.Generator().manual_seed(0)
    # The first of two subspaces may be any; principal angles of coordinates and a random one need a (k, k) corner only.
    angles = []
    for _ in range(DRAWS):
        basis = torch.linalg.qr(torch.randn(size, k, generator=generator, dtype=torch.float64))[0]
        angles.append(torch.rad2deg(torch.arccos(torch.linalg.svdvals(basis[:k]).clamp(0, 1))).mean())
    return exact, float(torch.stack(angles).mean()), k / size


def _update_cosine(one: Factors, other: Factors) -> float:
    """Of `b @ a`, by the factors: `<B1 A1, B2 A2> = sum((B1^T B2) * (A1 A2^T))`."""
    sign = math.copysign(1, one.scale) * math.copysign(1, other.scale)
    square = [float(((f.b.T @ f.b).double() * (f.a @ f.a.T).double()).sum()) for f in (one, other)]
    both = float(((one.b.T @ other.b).double() * (one.a @ other.a.T).double()).sum())
    size = math.sqrt(max(0.0, square[0]) * max(0.0, square[1]))
    return sign * both / size if size > 0 else math.nan


def _cosine(one: Tensor, other: Tensor) -> float:
    if one.shape != other.shape:
        return 0.0
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))
