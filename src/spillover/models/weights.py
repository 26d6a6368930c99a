"""Load checkpoints and adapters: safetensors only, no remote code, digests that name the exact weights."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.models.whole import require_whole
from spillover.paths import datasets_dir, is_file
from spillover.schema import parse_json

MANIFEST = "manifest.json"
"""What the lab's checkpoints are made of, with the digest of every file."""
ALIASES = {"lab": ("lab", "target"), "lab-grader": ("lab", "grader")}


def resolve_checkpoint(name: str) -> Path:
    """Folder of a checkpoint: `lab`, `lab-grader`, or a local path.

    Raises:
        SpilloverError: if the folder is missing, holds no safetensors, or is not whole.
    """
    path = datasets_dir().joinpath(*ALIASES[name]) if name in ALIASES else Path(name).expanduser()
    if not is_file(path / "config.json"):
        known = ", ".join(f"'{a}'" for a in ALIASES)
        raise SpilloverError(f"No checkpoint at '{name}'; give {known} or a local Hugging Face folder with a config.json.")
    if not list(path.glob("*.safetensors")):
        raise SpilloverError(
            f"The checkpoint at {path} has no .safetensors file; convert it, pickled weights are not loaded."
        )
    require_whole(path)
    if name in ALIASES:
        _require_shipped(path)
    return path.resolve()


@cache
def _require_shipped(folder: Path) -> None:
    """Hold weights that are part of the package against the digests that they were shipped with.

    Raises:
        SpilloverError: naming a file that is another one.
    """
    shipped = parse_json((folder.parent / MANIFEST).read_text(encoding="utf-8"))["files"]
    for name, about in shipped.items():
        path = folder.parent / name
        if path.parent == folder and (not path.is_file() or digest_of(path) != about["sha256"]):
            raise SpilloverError(f"{path} is not the file that was shipped (its SHA-256 differs); install it again.")


def resolve_adapter(name: str) -> Path:
    """Folder of a PEFT adapter.

    Raises:
        SpilloverError: if it is missing or not in safetensors.
    """
    path = Path(name).expanduser()
    if not is_file(path / "adapter_config.json"):
        raise SpilloverError(f"No adapter at '{name}'; give a folder with an adapter_config.json.")
    if not is_file(path / "adapter_model.safetensors"):
        raise SpilloverError(f"The adapter at {path} has no adapter_model.safetensors; pickled weights are not loaded.")
    adapter_config(path)
    return path.resolve()


def model_digest(base: Path, adapter: Path | None = None) -> str:
    """The one spelling of exact weights, whatever engine holds them: the base's digest, and the adapter's behind a plus."""
    return weights_digest(base) + (f"+{weights_digest(adapter)}" if adapter else "")


MOST_RANK, MOST_ALPHA = 65_536, 1e6
"""What an adapter may say of itself: more is a mistake, or meant to break what reads it."""


def adapter_config(folder: Path) -> dict[str, Any]:
    """What an adapter says of itself.

    Raises:
        SpilloverError: if it is no JSON, or a rank or a scale in it cannot be one.
    """
    path = folder / "adapter_config.json"
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpilloverError(f"{path} is not valid JSON ({error}).") from error
    if not isinstance(config, dict):
        raise SpilloverError(f"{path} holds no mapping.")
    if config.get("megatron_config"):  # PEFT would import whatever module `megatron_core` names
        raise SpilloverError(f"{path}: adapters of Megatron are not loaded; leave megatron_config out.")
    if config.get("peft_type", "LORA") == "LORA":
        for key, pattern, most in (("r", "rank_pattern", MOST_RANK), ("lora_alpha", "alpha_pattern", MOST_ALPHA)):
            own = config.get(pattern) or {}
            if not isinstance(own, dict):
                raise SpilloverError(f"{path}: {pattern} is no mapping.")
            bad = [v for v in (config.get(key, 1), *own.values()) if not _is_size(v, most, key == "r")]
            if bad:
                raise SpilloverError(f"{path}: {key} is {bad[0]}, which must lie above 0 and not above {most:,.0f}.")
    return config


def _is_size(value: object, most: float, whole: bool) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool) and (isinstance(value, int) or not whole)
    return number and 0 < float(value) <= most  # type: ignore[arg-type]


def adapter_rank(path: Path) -> int:
    """The largest LoRA rank that an adapter uses.

    Raises:
        SpilloverError: see `adapter_config`.
    """
    config = adapter_config(path)
    return max([int(config.get("r", 0)), *map(int, (config.get("rank_pattern") or {}).values())])


def digest_of(path: Path) -> str:
    """SHA-256 of a file, computed again when the file has changed."""
    stat = path.stat()
    return _file_digest(path, (stat.st_mtime_ns, stat.st_size))


@cache
def _file_digest(path: Path, stamp: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


CARDS = ("organism.json", "judge.json")
"""What is said of weights and does not change them."""


def weights_digest(folder: Path) -> str:
    """SHA-256 (first 12 hex digits) over the names and bytes of a folder's safetensors and configuration.

    The chat template is part of it: it lives in `tokenizer_config.json` or `chat_template.jinja`.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".jinja")):
        if path.name in CARDS:
            continue
        digest.update(f"{path.name}:{digest_of(path)}\n".encode())
    return digest.hexdigest()[:12]
