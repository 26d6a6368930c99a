"""Is a checkpoint whole? Asked before anything is trained or generated: libraries say it late, and in their own words."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.schema import parse_json

TOKENIZERS = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json", "spiece.model"),
    *("sentencepiece.bpe.model", "tiktoken.model"),
)
INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"model-(\d{5})-of-(\d{5})\.safetensors")


def require_whole(folder: Path) -> None:
    """Refuse a checkpoint with a broken configuration, a weights file that is cut short or missing, or no tokenizer.

    Raises:
        SpilloverError: in one sentence that names the file.
    """
    files = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".model", ".txt"))
    lost = next((p for p in files if not p.exists()), None)
    if lost is not None:
        raise SpilloverError(f"{lost} points to a file that is not there; download the checkpoint again.")
    _check(folder, tuple((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@lru_cache(maxsize=64)
def _check(folder: Path, files: tuple[tuple[str, int, int], ...]) -> None:
    names = {name for name, _, _ in files}
    if "model_type" not in _json(folder / "config.json"):
        raise SpilloverError(f"{folder / 'config.json'} names no model_type; it is no configuration of a model.")
    if INDEX in names:
        named = _json(folder / INDEX).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
            raise SpilloverError(f"{folder / INDEX} has no weight_map of names to files.")
        missing = set(named.values()) - names
        if missing:
            raise SpilloverError(f"The checkpoint at {folder} lacks {min(missing)}, which its index names; copy it again.")
    shards = {match[2]: int(match[2]) for name in names if (match := _SHARD.fullmatch(name))}
    for total, count in shards.items():
        lacking = {f"model-{n:05d}-of-{total}.safetensors" for n in range(1, count + 1)} - names
        if lacking:
            raise SpilloverError(f"The checkpoint at {folder} lacks {min(lacking)}; copy it again.")
    for name, size, _ in files:
        if name.endswith(".safetensors"):
            _require_all(folder / name, size)
    if not names & set(TOKENIZERS):
        raise SpilloverError(
            f"The checkpoint at {folder} has no tokenizer ({TOKENIZERS[0]} or the like); copy it from the model's source."
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
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
            header = parse_json(file.read(size))
        found = {name: {**about, "start": 8 + size} for name, about in header.items() if name != "__metadata__"}
        for name, about in found.items():
            begin, end = about["data_offsets"]
            if not (0 <= int(begin) <= int(end)) or not isinstance(about["shape"], list):
                raise ValueError(f"{name} has no place in it")
        return found
    except (ValueError, OverflowError, struct.error, TypeError, AttributeError, KeyError) as error:
        raise SpilloverError(f"{path} is no safetensors file ({error}).") from error


def _require_all(path: Path, size: int) -> None:
    header = header_of(path)
    needed = max((about["start"] + about["data_offsets"][1] for about in header.values()), default=0)
    if size < needed:
        raise SpilloverError(f"{path} is cut short: {size} of {needed} bytes are there; copy or download it again.")
