"""Standard output that outlives its reader: whoever pipes into `head` still gets the files, and the verdict as exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

GONE = (errno.EPIPE,) if os.name == "posix" else (errno.EPIPE, errno.EINVAL)
"""What a write meets whose reader is gone; the second is Windows'."""


class Lasting:
    """A stream whose reader may go away; what is written after that goes nowhere.

    Args:
        stream: The real one, of text or of bytes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, content: Any) -> int:
        """As the stream does."""
        try:
            return int(self._stream.write(content))
        except OSError as error:
            self._drop(error)
            return len(content)

    def flush(self) -> None:
        """As the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    @property
    def buffer(self) -> Lasting:
        """The bytes below, which click writes to where the text's encoding is none of its liking."""
        return Lasting(self._stream.buffer)

    def _drop(self, error: OSError) -> None:
        """What lies in the stream's buffer goes nowhere, too, when Python ends."""
        if error.errno not in GONE:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting() -> Iterator[None]:
    """Standard output and standard error are such streams meanwhile, as far as there are any."""
    plain = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Lasting(stream) if stream is not None else None for stream in plain)
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()
    finally:
        with suppress(OSError):  # whatever is on its way, a verdict say, counts more
            if sys.stdout is not None:
                sys.stdout.flush()
        sys.stdout, sys.stderr = plain
