"""LoRA adapters as files: one module after the other, without the base and without a model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spillover.errors import SpilloverError
from spillover.models.weights import adapter_config, resolve_adapter
from spillover.schema import parse_json

_KEY = re.compile(r"^(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<factor>[AB])(?:\.default)?\.weight$")
_LAYER = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.")


@dataclass(frozen=True)
class Factors:
    """The update of one module: `scale * b @ a`.

    Attributes:
        a: Shape (rank, inputs), float32.
        b: Shape (outputs, rank), float32.
        scale: What the product is multiplied by.
    """

    a: Tensor
    b: Tensor
    scale: float


class AdapterFile:
    """A plain LoRA adapter in a folder.

    Args:
        name: Of a folder; also what it is called in tables.
        called: Another name for tables.

    Attributes:
        modules: Names of the adapted modules, in the model's order.

    Raises:
        SpilloverError: if there is none, or it is no plain LoRA: DoRA, other methods and trained biases are more than `b @
            a`.
    """

    def __init__(self, name: str, called: str = "") -> None:
        self.folder = resolve_adapter(name)
        self.name = called or self.folder.name
        self.config: dict[str, Any] = _config(self.folder)
        with self._open() as file:
            found = [m for key in file.keys() if (m := _KEY.match(key))]  # noqa: SIM118 - no mapping
            beside = [key for key in file.keys() if not _KEY.match(key)]  # noqa: SIM118
        if beside:
            raise SpilloverError(
                f"The adapter at {self.folder} trains more than LoRA matrices ({beside[0]}); updates of plain LoRA "
                "adapters are compared."
            )
        halves = [{m["module"] for m in found if m["factor"] == factor} for factor in "AB"]
        if not found or halves[0] != halves[1]:
            raise SpilloverError(f"The adapter at {self.folder} has no pairs of lora_A and lora_B.")
        self.modules = sorted(halves[0], key=_order)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with safe_open(str(self.folder / "adapter_model.safetensors"), "pt") as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise SpilloverError(f"The weights of the adapter at {self.folder} cannot be read ({error}).") from error

    def __iter__(self) -> Iterator[tuple[str, Factors]]:
        """(module, its factors), read one at a time."""
        for module in self.modules:
            yield module, self.factors(module)

    def factors(self, module: str) -> Factors:
        """Factors of a module.

        Raises:
            SpilloverError: if they are not finite, or of rank 0.
        """
        with self._open() as file:
            keys = {m["factor"]: key for key in file.keys() if (m := _KEY.match(key)) and m["module"] == module}  # noqa: SIM118
            a, b = (file.get_tensor(keys[factor]).float() for factor in "AB")
        if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1] or a.shape[0] == 0:
            raise SpilloverError(
                f"The adapter at {self.folder}: {module} has matrices of shape {tuple(b.shape)} and {tuple(a.shape)}, "
                "which are no product of a rank above 0."
            )
        if not (a.isfinite().all() and b.isfinite().all()):
            raise SpilloverError(f"The adapter at {self.folder}: {module} has weights that are no numbers; train it again.")
        return Factors(a, b, self.scale(module, a.shape[0]))

    def scale(self, module: str, rank: int) -> float:
        """What `b @ a` of a module is multiplied by."""
        alphas = self.config.get("alpha_pattern") or {}
        alpha = next(
            (v for k, v in alphas.items() if re.match(rf"(.*\.)?({k})$", module)), self.config.get("lora_alpha", rank)
        )
        return float(alpha) / (math.sqrt(rank) if self.config.get("use_rslora") else rank)

    @property
    def base(self) -> tuple[str, str]:
        """(digest of the weights that it was trained on, where its card has it; name of the base)."""
        try:
            card = parse_json((self.folder / "organism.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            card = {}
        return str(card.get("base_weights") or ""), str(self.config.get("base_model_name_or_path") or "")


def layer_of(module: str) -> int:
    """Decoder layer of a module, from 0; -1 outside of them."""
    found = _LAYER.search(f".{module}.")
    return int(found.group(1)) if found else -1


def _order(module: str) -> tuple[int, str]:
    return layer_of(module), module


def _config(folder: Path) -> dict[str, Any]:
    config = adapter_config(folder)
    kind = config.get("peft_type", "LORA")
    if kind != "LORA" or config.get("use_dora") or config.get("bias", "none") != "none" or config.get("modules_to_save"):
        raise SpilloverError(
            f"{folder} is no plain LoRA adapter (PEFT type {kind}); only those have an update of two factors."
        )
    return dict(config)


def thin_svd(found: Factors) -> tuple[Tensor, Tensor, Tensor]:
    """Singular value decomposition of an update that is never formed: two QR decompositions and a rank x rank matrix.

    Returns:
        Left vectors (outputs, rank), singular values (rank), right vectors (inputs, rank); those of no size are left out.
    """
    qb, rb = torch.linalg.qr(found.b.double())
    qa, ra = torch.linalg.qr(found.a.double().T)
    u, s, vh = torch.linalg.svd(found.scale * (rb @ ra.T))
    # What is nothing beside the factors is rounding: two updates that cancel leave no direction.
    most = abs(found.scale) * float(found.a.double().norm()) * float(found.b.double().norm())
    kept = s > max(1e-9 * float(s.max()), 1e-6 * most)
    return qb @ u[:, kept], s[kept], qa @ vh.T[:, kept]
