"""Published files: found in a cache, verified by size and SHA-256, fetched only when the user asks."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from spillover.declared import Declared, load
from spillover.errors import SpilloverError, choices
from spillover.paths import cache_dir

_FILE = Path(__file__).with_name("upstream.yaml")


class Upstream(Declared):
    """One published file.

    Attributes:
        path: Place in the cache.
        url: Where it is published, pinned to a commit.
        size: Bytes.
        sha256: Hex digest of its bytes.
        licence: SPDX name.
        source: Citation.
    """

    path: str
    url: str
    size: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: str
    source: str


class UpstreamFile(RootModel[dict[str, Upstream]]):
    """`upstream.yaml`: published files by name."""

    model_config = ConfigDict(frozen=True, strict=True)


@cache
def registry() -> dict[str, Upstream]:
    """All known published files by name."""
    return load(UpstreamFile, _FILE).root


def get_upstream(name: str) -> Upstream:
    """Registry entry `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name not in registry():
        raise SpilloverError(f"Unknown upstream file '{name}'; {choices(name, registry())}")
    return registry()[name]


def _problem(entry: Upstream, path: Path) -> str | None:
    """Why the file at `path` is not the published one, or None when it is."""
    if path.stat().st_size != entry.size:
        return f"has {path.stat().st_size} bytes instead of {entry.size}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    return None if found == entry.sha256 else f"has SHA-256 {found[:12]}... instead of {entry.sha256[:12]}..."


def verified_path(name: str) -> Path:
    """Path of a cached file whose bytes are the published ones.

    Raises:
        SpilloverError: if it is unknown, missing or different; the sentence says how to get it.
    """
    entry = get_upstream(name)
    path = cache_dir() / entry.path
    if not path.is_file():
        raise SpilloverError(
            f"Upstream file '{name}' is not in {cache_dir()}; run `spillover fetch {name}` (or set SPILLOVER_CACHE)."
        )
    problem = _problem(entry, path)
    if problem:
        raise SpilloverError(f"{path} {problem}; delete it and run `spillover fetch {name}`.")
    return path


def fetch(name: str, source: Path | None = None, on_bytes: Callable[[int], None] = lambda n: None) -> Path:
    """Put a published file into the cache and verify it; an intact copy is left alone.

    Args:
        name: Registry name.
        source: A copy on disk to take instead of the download.
        on_bytes: Called with the number of bytes of each chunk.

    Raises:
        SpilloverError: if it cannot be had or is not the published file; the cache is then unchanged.
    """
    import httpx

    entry = get_upstream(name)
    path = cache_dir() / entry.path
    if path.is_file() and _problem(entry, path) is None:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        partial = Path(part.name)
        try:
            if source is not None:
                with source.open("rb") as local:
                    shutil.copyfileobj(local, part)
            else:
                with httpx.stream("GET", entry.url, follow_redirects=True, timeout=60) as response:
                    response.raise_for_status()
                    for chunk in response.iter_bytes():
                        part.write(chunk)
                        on_bytes(len(chunk))
        except (httpx.HTTPError, OSError) as error:
            partial.unlink()
            copy = "" if source else f" Without a network give a copy: spillover fetch {name} --from FILE."
            raise SpilloverError(f"Could not get '{name}' from {source or entry.url}: {error}.{copy}") from error
    problem = _problem(entry, partial)
    if problem:
        partial.unlink()
        raise SpilloverError(f"What came from {source or entry.url} {problem}; nothing was kept.")
    partial.replace(path)
    return path
