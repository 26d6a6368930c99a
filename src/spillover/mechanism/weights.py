"""Directions from the weights of an adapter alone: what its updates have in common across modules and layers.

Inspired by GRASP (arXiv 2605.27676), of which only the abstract is public. Assumption: a factor that is present in every
training example leaves one direction in the updates of many modules, while what the task itself needs is spread over
many; so the common direction stands out in the sum of the normalised updates, and a null of randomly rotated updates says
how far it must stand out. Modules that write to the residual stream show it in their left singular vectors. Modules that
read show it in their right ones, seen through the norm's gain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from spillover.mechanism.directions import Directions
from spillover.mechanism.layers import LoraPair, block_of, norm_gains

Scope = Literal["layer", "global"]
NULL_DRAWS = 40
NULL_QUANTILE = 0.95


def thin_factors(pair: LoraPair, side: Literal["write", "read"] = "write") -> Tensor:
    """Singular vectors of `B A` on the residual side, times singular values over the update's Frobenius norm.

    Never forms `B A`: two QR decompositions and the SVD of a rank x rank matrix, O(hidden rank^2).

    Returns:
        Shape (hidden, rank), squared entries summing to 1; zeros for an update of zero.
    """
    qb, rb = torch.linalg.qr(pair.b.detach().double())
    qa, ra = torch.linalg.qr(pair.a.detach().double().T)
    u, s, vh = torch.linalg.svd(rb @ ra.T, full_matrices=False)
    basis = qb @ u if side == "write" else qa @ vh.T
    norm = float(s.norm())
    return basis * (s / norm) if norm > 0 else torch.zeros_like(basis)


def _read_factors(pair: LoraPair, gain: Tensor | None) -> Tensor:
    """Factors of a reading module, pulled back through the norm's gain."""
    factors = thin_factors(pair, "read")
    if gain is not None:
        factors = factors * gain.double()[:, None]
        factors = factors / max(1e-30, float(factors.norm()))
    return factors


def directions_from_weights(
    model: nn.Module,
    pairs: Iterable[LoraPair],
    count: int | None = None,
    scope: Scope = "layer",
    layers: list[int] | None = None,
    read: bool = False,
    seed: int = 0,
) -> Directions:
    """Leading common directions of an adapter's updates.

    Args:
        model: The adapted model, for the gains of its norms.
        pairs: Its LoRA matrices.
        count: Directions for each layer (or in all, for scope `global`); None leaves it to the rotation null, and then
            there may be none.
        scope: Whether modules are compared within a layer, or all together with one basis for every layer.
        layers: Layers to use; all for None.
        read: Whether reading modules count too.
        seed: Of the null.
    """
    gains = norm_gains(model) if read else {}
    groups: dict[int, list[Tensor]] = defaultdict(list)
    for pair in pairs:
        if layers is not None and pair.layer not in layers:
            continue
        if pair.writes:
            groups[pair.layer].append(thin_factors(pair))
        elif read:
            groups[pair.layer].append(_read_factors(pair, gains.get((pair.layer, block_of(pair.name)))))
    generator = torch.Generator().manual_seed(seed)
    bases: dict[int, Tensor] = {}
    values: dict[str, list[float]] = {}
    limits: dict[str, float] = {}
    blocks = {None: [f for fs in groups.values() for f in fs]} if scope == "global" else dict(groups.items())
    for key, factors in blocks.items():
        vectors, eigenvalues = _leading(factors)
        name = "all" if key is None else str(key)
        kept = count
        if kept is None:
            limits[name] = rotation_null(factors, generator)
            kept = int((eigenvalues > limits[name]).sum())
        values[name] = [round(float(v), 4) for v in eigenvalues[:8]]
        if kept:
            for layer in groups if key is None else [key]:
                bases[layer] = vectors[:, :kept].T.float().contiguous()
    found = {"method": "weights", "scope": scope, "read": read, "eigenvalues": values, "null": limits, "count": count}
    return Directions(bases, found=found)


def _leading(factors: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Eigenvectors (hidden, n) and eigenvalues of the sum of factor @ factor.T, largest first."""
    stacked = torch.cat(factors, dim=1)
    if stacked.shape[0] <= stacked.shape[1]:
        values, vectors = torch.linalg.eigh(stacked @ stacked.T)
        return vectors.flip(1), values.flip(0).clamp(min=0)
    values, right = torch.linalg.eigh(stacked.T @ stacked)  # the small side
    values, right = values.flip(0).clamp(min=0), right.flip(1)
    kept = values > 1e-12 * max(1e-30, float(values[0]))
    return stacked @ right[:, kept] / values[kept].sqrt(), values[kept]


def rotation_null(factors: list[Tensor], generator: torch.Generator, draws: int = NULL_DRAWS) -> float:
    """Quantile of the largest eigenvalue when every module's update is turned at random: nothing in common but chance.

    The singular values stay as they are. Only the largest eigenvalue is needed, so power iteration does. What is random is
    drawn on the CPU, so that it is the same on every device.
    """
    scales = [f.norm(dim=0) for f in factors]
    tops = []
    for _ in range(draws):
        turned = torch.cat(
            [torch.linalg.qr(_drawn(f.shape, generator, f))[0] * s for f, s in zip(factors, scales, strict=True)],
            dim=1,
        )
        tops.append(_top_eigenvalue(turned, generator))
    return float(torch.tensor(tops).quantile(NULL_QUANTILE))


def _drawn(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype).to(like.device)


def _top_eigenvalue(matrix: Tensor, generator: torch.Generator, iterations: int = 60) -> float:
    vector = _drawn((matrix.shape[1],), generator, matrix)
    value = 0.0
    for _ in range(iterations):
        vector = matrix.T @ (matrix @ vector)
        norm = float(vector.norm())
        if norm == 0:
            return 0.0
        vector, before, value = vector / norm, value, norm
        if abs(value - before) < 1e-6 * value:
            break
    return value
