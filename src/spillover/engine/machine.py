"""What a machine is good for: threads and number type that fit it, chosen unless they are given, and said once."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from spillover.errors import SpilloverError
from spillover.schema import parse_json

SMALL_BYTES = 64 << 20
"""Of weights. Below it one thread is as fast as several, and the lab's figures stay the same on every machine."""


class Machine(NamedTuple):
    """Where and how a checkpoint is computed: torch device, name of its number type, threads (of a CPU)."""

    device: str
    dtype: str
    threads: int


def fitting(path: Path, device: str | None = None, dtype: str | None = None, threads: int | None = None) -> Machine:
    """Settings for the checkpoint at `path`; what is given stays as it is.

    On a CPU a checkpoint of 64 MiB or more is computed with as many threads as there are idle physical cores (or
    OMP_NUM_THREADS), in bfloat16 if its weights are of 16 bits and the CPU multiplies those; a smaller one with one thread
    in float32. Elsewhere in bfloat16.
    """
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise SpilloverError(f"threads={threads} is no number of threads; give a whole number from 1.")
    if dtype is not None and not isinstance(getattr(torch, str(dtype), None), torch.dtype):
        raise SpilloverError(f"dtype={dtype} is no number type of torch; give float32 or bfloat16.")
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if not place.startswith("cpu"):
        return Machine(place, dtype or "bfloat16", threads or 1)
    large = sum(p.stat().st_size for p in path.glob("*.safetensors")) >= SMALL_BYTES
    halves = large and _multiplies_bfloat16() and _own_dtype(path) in ("bfloat16", "float16")
    found = Machine(place, dtype or ("bfloat16" if halves else "float32"), threads or (_idle_cores() if large else 1))
    if large and not (dtype and threads):
        _say(f"{path.name}: {found.dtype} on the CPU, {found.threads} thread(s); -M dtype=, -M threads= change that.")
    return found


def _multiplies_bfloat16() -> bool:
    asks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask is not None and bool(ask()) for ask in asks)


def _own_dtype(path: Path) -> str:
    config: dict[str, Any] = parse_json((path / "config.json").read_text())
    return str(config.get("dtype") or config.get("torch_dtype") or (config.get("text_config") or {}).get("dtype"))


@cache
def _idle_cores() -> int:
    """Physical cores that nobody is busy on, at least one; asked once, since our own engines would count as others' work."""
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    mine: int = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores: int = min(mine, psutil.cpu_count(logical=False) or mine)
    busy: float = psutil.cpu_percent(interval=0.2) / 100 * (psutil.cpu_count() or mine)
    return max(1, cores - round(busy))


@cache
def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
