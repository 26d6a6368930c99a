"""One process at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spillover.errors import SpilloverError

try:
    import fcntl
except ImportError:  # Windows has no flock; two runs in one folder are then the user's own care
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it whatever becomes of the process.

    Raises:
        SpilloverError: if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                who = file.read().strip()
                raise SpilloverError(
                    f"Another run is at work in {folder}{f' (process {who})' if who else ''}; "
                    "wait for it, or give another --out."
                ) from error
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
        yield
