"""Files that are there whole or not at all: written under another name in the same folder, synced, then renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spillover.errors import SpilloverError
from spillover.sinks import for_sheet

if TYPE_CHECKING:
    import pandas as pd

PART = ".part"
FULL = 1 << 16
"""Bytes: whoever fails with less left on the disk failed for that."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to; when the block ends, what stands there takes the place of `path`.

    An error, a full disk or a kill leaves what was at `path` as it was. Folders above it are made.

    Args:
        path: The file.

    Raises:
        SpilloverError: if it cannot be written, with the system's reason.
    """
    place = Path(os.path.realpath(path))  # a link stays one
    if os.path.exists(place) and not os.path.isfile(place) and not os.path.isdir(place):
        with _told_of(path):
            yield place  # a device or a pipe has no content to keep
        return
    part = place.with_name(f".{place.name[:80]}.{uuid.uuid4().hex[:8]}{PART}")
    try:
        with _told_of(path):
            place.parent.mkdir(parents=True, exist_ok=True)
            yield part
            _sync(part)
            os.replace(part, place)
            _sync(place.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpilloverError(f"Cannot write {path} ({error.strerror or error}); {_told(path)}.") from error


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Say that a disk is full, whatever a library that writes there makes of it: torch, say, speaks of positions in a file.

    Args:
        folder: What is written into.

    Raises:
        OSError: ENOSPC, in the place of any error of a block that left the disk full.
    """
    try:
        yield
    except SpilloverError:
        raise
    except Exception as error:
        above = next(p for p in (folder, *folder.absolute().parents) if os.path.isdir(p))
        # Some libraries name the reason in words alone, others leave the disk full and speak of something else.
        if os.strerror(errno.ENOSPC) in str(error) or shutil.disk_usage(above).free < FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """A file with this content.

    Raises:
        SpilloverError: if it cannot be written.
    """
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """A file with this text, in UTF-8; halves of surrogate pairs, which models write, become question marks.

    Raises:
        SpilloverError: if it cannot be written.
    """
    write_bytes(path, text.encode("utf-8", "replace"))


def write_json(path: Path, value: Any, *, sort_keys: bool = False, indent: int = 1) -> None:
    """A file of JSON that a person can read.

    Raises:
        SpilloverError: if it cannot be written.
    """
    write_text(path, json.dumps(value, indent=indent, sort_keys=sort_keys) + "\n")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """A table as `.parquet`, or as `.csv` whose texts are no formulas.

    Raises:
        SpilloverError: if it cannot be written.
    """
    with replacing(path) as part:
        if path.suffix == ".parquet":
            table.to_parquet(part, index=False)
        else:
            for_sheet(table).to_csv(part, index=False)


def _told(path: Path) -> str:
    return "what was there before is kept" if os.path.isfile(path) else "name another place or make room"


def _sync(path: Path) -> None:
    """Have the system put it on the disk: a rename that outlives a power cut, unlike its content, leaves an empty file."""
    folder = os.path.isdir(path)
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except PermissionError:  # a folder on Windows, or one that may be written but not read
        return
    try:
        os.fsync(handle)
    except OSError as error:  # some disks of a network know no such thing, of folders in particular
        if not folder and error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
