"""Models to train or to find something in: where they lie, in which numbers, and how they are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn
from transformers import AutoModelForCausalLM

from spillover.engine.fit import require_fit


def device() -> str:
    """The GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def number_type() -> torch.dtype:
    """Of weights, where nobody chose one."""
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def load(
    base: Path,
    adapter: Path | None = None,
    dtype: torch.dtype | None = None,
    place: str | None = None,
    trainable: bool = False,
) -> Any:
    """A checkpoint, or one with an adapter that fits it.

    Args:
        base: Folder of the checkpoint.
        adapter: Folder of the adapter.
        dtype: Of the base's weights; see `number_type` for None.
        place: Device; see `device` for None.
        trainable: Whether the adapter is trained on.
    """
    model: Any = AutoModelForCausalLM.from_pretrained(
        base, dtype=dtype or number_type(), use_safetensors=True, trust_remote_code=False
    )
    model = model.to(place or device())
    return PeftModel.from_pretrained(model, adapter, is_trainable=trainable, use_safetensors=True) if adapter else model


def load_to_read(base: Path, adapter: Path | None = None) -> nn.Module:
    """The same in evaluation mode, which nobody trains.

    Raises:
        SpilloverError: for an adapter that does not fit it.
    """
    if adapter:
        require_fit(base, adapter)
    return load(base, adapter).eval()  # type: ignore[no-any-return]
