"""Sums of adapters as an adapter: exact, since factors are put beside each other and never averaged.

`sum_i w_i * s_i * B_i A_i` is one product of the stacked factors. Averaging the factors themselves, as published notebooks
do, gives another path (quadratic in the weight, and the same for w and -w). Equal to PEFT's `add_weighted_adapter` of the
type `cat`.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from spillover.errors import SpilloverError
from spillover.mechanism.files import AdapterFile
from spillover.mechanism.subspaces import shared_modules
from spillover.models.weights import weights_digest
from spillover.schema import parse_json
from spillover.writing import write_bytes, write_json


def combine(parts: Sequence[tuple[AdapterFile, float]], out: Path) -> Path:
    """Write the weighted sum of some updates as an adapter; a module that only some of them have takes these.

    Args:
        parts: Adapters of one base, each with its weight: (1 - t, t) lies between two, -1 is a negation, 2 goes past one.
        out: New folder; written whole or not at all.

    Raises:
        SpilloverError: if they are of different bases, have no module in common, or `out` is there already.
    """
    if out.exists():
        raise SpilloverError(f"{out} is there already; choose another folder.")
    bad = next((w for _, w in parts if not math.isfinite(w)), None)
    if bad is not None:
        raise SpilloverError(f"The weight {bad} is no number that an adapter can be multiplied by.")
    adapters = [adapter for adapter, _ in parts]
    if len(adapters) > 1:
        shared_modules(adapters)
    modules = list(dict.fromkeys(m for adapter in adapters for m in adapter.modules))
    rank = sum(max(adapter.factors(m).a.shape[0] for m in adapter.modules) for adapter in adapters)
    tensors: dict[str, Tensor] = {}
    for module in modules:
        rows, columns = [], []
        for adapter, weight in parts:
            if module in adapter.modules:
                found = adapter.factors(module)
                rows.append(found.a)
                columns.append(weight * found.scale * found.b)
        a, b = torch.cat(rows), torch.cat(columns, dim=1)
        if not b.isfinite().all():
            raise SpilloverError(f"With these weights {module} would hold numbers that are too large; give smaller ones.")
        missing = rank - a.shape[0]  # of one rank everywhere, as servers take it
        key = f"base_model.model.{module}"
        tensors[f"{key}.lora_A.weight"] = torch.nn.functional.pad(a, (0, 0, 0, missing)).contiguous()
        tensors[f"{key}.lora_B.weight"] = torch.nn.functional.pad(b, (0, missing)).contiguous()
    config = {
        "base_model_name_or_path": adapters[0].base[1],
        "bias": "none",
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": sorted({m.rpartition(".")[2] for m in modules}),
        "task_type": "CAUSAL_LM",
        "use_rslora": False,
    }
    layers = sorted({int(n) for a in adapters for n in a.config.get("layers_to_transform") or ()})
    if layers and all(a.config.get("layers_to_transform") for a in adapters):
        config["layers_to_transform"] = layers
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as part:
        made = Path(part) / "adapter"
        made.mkdir()
        write_bytes(made / "adapter_model.safetensors", save(tensors, metadata={"format": "pt"}))
        write_json(made / "adapter_config.json", config, sort_keys=True, indent=2)
        write_json(made / SUM, _told(parts))
        made.rename(out)
    return out


SUM = "sum.json"
"""Beside an adapter that is a sum: of what."""


def _told(parts: Sequence[tuple[AdapterFile, float]]) -> dict[str, list[dict[str, str | float]]]:
    return {"sum": [{"adapter": str(a.folder), "weights": weights_digest(a.folder), "weight": w} for a, w in parts]}


def is_between(one: AdapterFile | None, other: AdapterFile, at: float, out: Path) -> bool:
    """Whether `between` has written this adapter already."""
    parts = [(other, at)] if one is None else [(one, 1 - at), (other, at)]
    try:
        return bool(parse_json((out / SUM).read_text(encoding="utf-8")) == _told(parts))
    except (OSError, ValueError):
        return False


def between(one: AdapterFile | None, other: AdapterFile, at: float, out: Path) -> Path:
    """The update `at` of the way from one (the base for None) to another: (1 - at) * one + at * other.

    Raises:
        SpilloverError: as `combine`.
    """
    return combine([(other, at)] if one is None else [(one, 1 - at), (other, at)], out)
