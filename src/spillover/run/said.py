"""What Inspect prints while it asks, without its praise of every finished set, of which one command of ours has many."""

from __future__ import annotations

import io
import re
import sys

_STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Unpraised(io.TextIOBase):
    """To standard error, line by line, but for `Completed all tasks in 'FOLDER' successfully`, folded as it may be."""

    def __init__(self) -> None:
        self._line, self._praise = "", False

    def write(self, text: str) -> int:
        """Pass whole lines on."""
        *lines, self._line = f"{self._line}{text}".split("\n")
        for line in lines:
            plain = _STYLE.sub("", line).strip()
            self._praise = self._praise or plain.startswith("Completed all")
            if not self._praise:
                sys.stderr.write(f"{line}\n")
            self._praise = self._praise and not plain.endswith("successfully")
        return len(text)

    def close(self) -> None:
        """Pass on what no end of line came after."""
        if self._line:
            self.write("\n")
        super().close()
