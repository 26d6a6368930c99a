"""Is a checkpoint whole? Asked before anything is trained or generated: libraries say it late, and in their own words."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError

TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json", "spiece.model"),
    *("sentencepiece.bpe.model", "tiktoken.model"),
)
INDEX = "model.safetensors.index.json"


def require_whole(folder: Path) -> None:
    """Refuse a checkpoint with a broken configuration, a weights file that is cut short or missing, or no tokenizer.

    Raises:
        SpilloverError: in one sentence that names the file.
    """
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".model", ".txt"))
    _check(folder, tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@lru_cache(maxsize=64)
def _check(folder: Path, files: tuple[tuple[str, int, int], ...]) -> None:
    names = {name for name, _, _ in files}
    if "model_type" not in _json(folder / "config.json"):
        raise SpilloverError(f"{folder / 'config.json'} names no model_type; it is no configuration of a model.")
    if INDEX in names:
        missing = set(_json(folder / INDEX).get("weight_map", {}).values()) - names
        if missing:
            raise SpilloverError(f"The checkpoint at {folder} lacks {min(missing)}, which its index names; copy it again.")
    for name, size, _ in files:
        if name.endswith(".safetensors"):
            _require_all(folder / name, size)
    if not names & set(TOKENIZERS):
        raise SpilloverError(
            f"The checkpoint at {folder} has no tokenizer ({TOKENIZERS[0]} or the like); copy it from the model's source."
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpilloverError(f"{path} cannot be read as JSON ({error}).") from error
    if not isinstance(found, dict):
        raise SpilloverError(f"{path} holds no mapping.")
    return found


def header_of(path: Path) -> dict[str, Any]:
    """Tensors of a safetensors file by name, from its header alone.

    Raises:
        SpilloverError: if it is no such file.
    """
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > path.stat().st_size:
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(size))
        return {name: {**about, "start": 8 + size} for name, about in header.items() if name != "__metadata__"}
    except (ValueError, struct.error, TypeError) as error:
        raise SpilloverError(f"{path} is no safetensors file ({error}).") from error


def _require_all(path: Path, size: int) -> None:
    header = header_of(path)
    needed = max((about["start"] + about["data_offsets"][1] for about in header.values()), default=0)
    if size < needed:
        raise SpilloverError(f"{path} is cut short: {size} of {needed} bytes are there; copy or download it again.")
