"""Load checkpoints and adapters: safetensors only, no remote code, digests that name the exact weights."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.models.whole import require_whole
from spillover.paths import datasets_dir

ALIASES = {"lab": ("lab", "target"), "lab-grader": ("lab", "grader")}


def resolve_checkpoint(name: str) -> Path:
    """Folder of a checkpoint: `lab`, `lab-grader`, or a local path.

    Raises:
        SpilloverError: if the folder is missing, holds no safetensors, or is not whole.
    """
    path = datasets_dir().joinpath(*ALIASES[name]) if name in ALIASES else Path(name).expanduser()
    if not (path / "config.json").is_file():
        known = ", ".join(f"'{a}'" for a in ALIASES)
        raise SpilloverError(f"No checkpoint at '{name}'; give {known} or a local Hugging Face folder with a config.json.")
    if not list(path.glob("*.safetensors")):
        raise SpilloverError(
            f"The checkpoint at {path} has no .safetensors file; convert it, pickled weights are not loaded."
        )
    require_whole(path)
    return path.resolve()


def resolve_adapter(name: str) -> Path:
    """Folder of a PEFT adapter.

    Raises:
        SpilloverError: if it is missing or not in safetensors.
    """
    path = Path(name).expanduser()
    if not (path / "adapter_config.json").is_file():
        raise SpilloverError(f"No adapter at '{name}'; give a folder with an adapter_config.json.")
    if not (path / "adapter_model.safetensors").is_file():
        raise SpilloverError(f"The adapter at {path} has no adapter_model.safetensors; pickled weights are not loaded.")
    return path.resolve()


def model_digest(base: Path, adapter: Path | None = None) -> str:
    """The one spelling of exact weights, whatever engine holds them: the base's digest, and the adapter's behind a plus."""
    return weights_digest(base) + (f"+{weights_digest(adapter)}" if adapter else "")


def adapter_rank(path: Path) -> int:
    """The largest LoRA rank that an adapter uses."""
    try:
        config: dict[str, Any] = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpilloverError(f"{path / 'adapter_config.json'} is not valid JSON ({error}).") from error
    return max([int(config.get("r", 0)), *map(int, (config.get("rank_pattern") or {}).values())])


@cache
def _file_digest(path: Path, stamp: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_digest(folder: Path) -> str:
    """SHA-256 (first 12 hex digits) over the names and bytes of a folder's safetensors and configuration.

    The chat template is part of it: it lives in `tokenizer_config.json` or `chat_template.jinja`.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".jinja")):
        if path.name == "organism.json":
            continue
        stat = path.stat()
        digest.update(f"{path.name}:{_file_digest(path, (stat.st_mtime_ns, stat.st_size))}\n".encode())
    return digest.hexdigest()[:12]
