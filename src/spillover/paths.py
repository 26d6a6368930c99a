"""Where the data folders live: in a clone at the repository root, in a wheel inside the package."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from spillover.errors import SpilloverError

_PACKAGE = Path(__file__).resolve().parent


def require_name(kind: str, name: str) -> None:
    """Refuse what no disk takes for a name, before a disk is asked.

    Raises:
        SpilloverError: for a zero byte, a part of more than 255 bytes, or more than 4096 bytes in all.
    """
    whole = name.encode("utf-8", "surrogatepass")
    if b"\0" in whole or len(whole) > 4096 or any(len(part) > 255 for part in whole.split(b"/")):
        raise SpilloverError(f"{name[:40]!r} and so on is no name of a {kind}: it is too long, or holds a zero byte.")


def is_file(path: Path) -> bool:
    """Whether a file is there; a name that no disk takes (too long, a zero byte) is one of none."""
    return os.path.isfile(path)


def is_dir(path: Path) -> bool:
    """The same of a folder."""
    return os.path.isdir(path)


@cache
def data_root() -> Path:
    """Folder that holds `datasets/`, `scorers/` and `evals/`.

    Returns:
        The package folder when installed from a wheel, else the repository root.

    Raises:
        SpilloverError: if neither holds the data (a broken installation).
    """
    for root in (_PACKAGE, _PACKAGE.parents[1]):
        if (root / "datasets" / "lab" / "grammar.yaml").is_file():
            return root
    raise SpilloverError(
        f"Spillover's data folders are missing next to {_PACKAGE}; reinstall it: pip install --force-reinstall spillover."
    )


def extensions() -> list[Path]:
    """Folders of `$SPILLOVER_EXTENSIONS` (separated like a search path), each laid out as the repository is.

    What lies in their `tasks/`, `scorers/`, `datasets/` and `interventions/` is found as if it were bundled.

    Raises:
        SpilloverError: for a folder that is not there.
    """
    found = [Path(part).expanduser() for part in os.environ.get("SPILLOVER_EXTENSIONS", "").split(os.pathsep) if part]
    for folder in found:
        if not folder.is_dir():
            raise SpilloverError(f"SPILLOVER_EXTENSIONS names {folder}, which is no folder.")
    return found


def data_files(kind: str, pattern: str) -> list[Path]:
    """Files of `datasets`, `scorers`, `evals` or `tasks` that match, bundled ones first, then those of extensions."""
    return [path for root in (data_root(), *extensions()) for path in sorted((root / kind).glob(pattern))]


def datasets_dir() -> Path:
    """Folder of the bundled question sets and lab data."""
    return data_root() / "datasets"


def scorers_dir() -> Path:
    """Folder of the bundled rubrics."""
    return data_root() / "scorers"


def evals_dir() -> Path:
    """Folder of the bundled experiments."""
    return data_root() / "evals"


def cache_dir() -> Path:
    """`$SPILLOVER_CACHE`, else `spillover` in the user's cache folder."""
    chosen = os.environ.get("SPILLOVER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(chosen).expanduser() if chosen else (Path(base) if base else Path.home() / ".cache") / "spillover"
