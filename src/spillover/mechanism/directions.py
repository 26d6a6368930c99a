"""Orthonormal directions at layers of the residual stream, and files of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.schema import parse_json
from spillover.writing import write_bytes


@dataclass(frozen=True)
class Directions:
    """What is projected out, steered along or watched.

    Attributes:
        bases: Layer to orthonormal rows, shape (directions, hidden), float32. A layer without any is not in it.
        means: Layer to the mean activation that a mean ablation keeps, shape (hidden,).
        norms: Layer to the length of each direction before it was normalised, shape (directions,).
        scales: Layer to the usual length of the residual stream there, one number: the unit of steering at inference.
        found: How they were found: method, eigenvalues, null quantile; for the card.
        look: Mean activation of another model on the prompts that they were found with, where there were prompts.
    """

    bases: dict[int, Tensor]
    means: dict[int, Tensor] = field(default_factory=dict)
    norms: dict[int, Tensor] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    scales: dict[int, Tensor] = field(default_factory=dict)
    look: Callable[[nn.Module, int], Tensor] | None = None

    @property
    def none(self) -> bool:
        """Whether there is no direction at any layer."""
        return not self.bases

    def summary(self) -> dict[str, Any]:
        """Layers and numbers of directions, and how they were found."""
        return {"layers": {str(layer): len(rows) for layer, rows in sorted(self.bases.items())}, **self.found}

    def at(self, layer: int, like: Tensor) -> Tensor | None:
        """Columns at a layer on the device of `like`, shape (hidden, directions); None where there are none."""
        basis = self.bases.get(layer)
        return None if basis is None else basis.T.to(device=like.device, dtype=torch.float32)


def orthonormal(rows: Tensor) -> Tensor:
    """Orthonormal rows that span `rows` (shape (directions, hidden)), signs kept, dependent rows dropped."""
    q, r = torch.linalg.qr(rows.double().T)
    kept = r.diagonal().abs() > 1e-8 * max(1e-30, float(r.diagonal().abs().max()))
    rows = (q[:, kept] * r.diagonal()[kept].sign()).T.float()
    return rows.contiguous()


def span(parts: Sequence[Directions]) -> Directions:
    """What several sources span together, layer by layer: projecting off it removes all of them, however they lie."""
    layers = sorted({layer for part in parts for layer in part.bases})
    bases = {k: orthonormal(torch.cat([part.bases[k] for part in parts if k in part.bases])) for k in layers}
    means = {layer: mean for part in parts for layer, mean in part.means.items()}
    return Directions(bases, means, found={"method": "span", "parts": [part.summary() for part in parts]})


def random_directions(layers: list[int], hidden: int, count: int, seed: int, shared: bool = False) -> Directions:
    """Directions drawn evenly from the sphere, one basis for each layer or one for all: the control for found ones."""
    generator = torch.Generator().manual_seed(seed)
    bases = {layer: orthonormal(torch.randn(count, hidden, generator=generator)) for layer in layers}
    if shared:
        bases = dict.fromkeys(layers, bases[layers[0]])
    return Directions(bases, found={"method": "random", "count": count, "seed": seed})


def save_directions(directions: Directions, path: Path) -> None:
    """Write a safetensors file that `load_directions` reads."""
    from safetensors.torch import save

    tensors = {f"{kind}.{k}": v.contiguous() for kind in _KINDS for k, v in getattr(directions, kind).items()}
    write_bytes(path, save(tensors, metadata={"found": json.dumps(directions.found)}))


_KINDS = ("bases", "means", "norms", "scales")


def load_directions(path: Path, hidden: int) -> Directions:
    """Read directions: tensors `bases.LAYER` of shape (directions, hidden), optionally `means.LAYER` and `norms.LAYER`.

    Raises:
        SpilloverError: if the file is missing, is no safetensors file, or does not fit the model.
    """
    from safetensors import safe_open

    kinds: dict[str, dict[int, Tensor]] = {kind: {} for kind in _KINDS}
    try:
        with safe_open(path, framework="pt") as file:
            found = parse_json((file.metadata() or {}).get("found", "{}"))
            for name in file.keys():  # noqa: SIM118 - no mapping
                kind, _, layer = name.partition(".")
                kinds[kind][int(layer)] = file.get_tensor(name).float()
    except FileNotFoundError as error:
        raise SpilloverError(f"There is no file of directions at {path}.") from error
    except Exception as error:  # safetensors raises an error type of its own, names may be anything
        raise SpilloverError(f"{path} is not a file of directions ({error}); its tensors are called bases.LAYER.") from error
    if not kinds["bases"]:
        raise SpilloverError(f"{path} holds no direction; its tensors are called bases.LAYER.")
    for kind, tensors in kinds.items():
        for layer, tensor in tensors.items():
            if not tensor.isfinite().all():
                raise SpilloverError(f"{path}: {kind}.{layer} holds numbers that are none; find the directions again.")
    for layer, basis in kinds["bases"].items():
        if basis.ndim != 2 or basis.shape[1] != hidden or not len(basis):
            raise SpilloverError(
                f"{path}: bases.{layer} has shape {tuple(basis.shape)}; the model's hidden size is {hidden}."
            )
    return Directions(
        {k: orthonormal(v) for k, v in kinds["bases"].items()}, kinds["means"], kinds["norms"], found, kinds["scales"]
    )
