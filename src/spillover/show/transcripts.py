"""A link from an answer to its transcript in `inspect view`, for whoever has that running over the same logs."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from spillover.redaction import redact

logger = logging.getLogger(__name__)

VIEWER = "http://127.0.0.1:7575"
"""Where `inspect view` listens unless it is told otherwise; `SPILLOVER_VIEWER` holds another address."""


class Transcripts:
    """Logs below one folder, as `inspect view` names them.

    Args:
        sources: Files that answers are from; those that are no logs have no transcripts.

    Attributes:
        folder: Of all logs; None if there are none.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        logs = [Path(s).absolute() for s in dict.fromkeys(sources) if s.endswith(".eval")]
        self.viewer = redact(os.environ.get("SPILLOVER_VIEWER") or VIEWER).rstrip("/")
        if not self.viewer.startswith(("http://", "https://")):
            # Not an error: this is found out when everything was asked and judged.
            logger.warning(
                "SPILLOVER_VIEWER is an address such as %s, not '%s'; links lead to the former.", VIEWER, self.viewer
            )
            self.viewer = VIEWER
        self.folder: Path | None = None
        if logs and len({log.anchor for log in logs}) == 1:
            self.folder = Path(os.path.commonpath([log.parent for log in logs]))

    @property
    def command(self) -> str | None:
        """What starts the viewer; of a folder that is not below the current one only its name: a page names no home."""
        if self.folder is None:
            return None
        here = self.folder.relative_to(Path.cwd()) if self.folder.is_relative_to(Path.cwd()) else self.folder.name
        address = urlsplit(self.viewer)
        port = f" --port {address.port}" if address.port not in (None, urlsplit(VIEWER).port) else ""
        return f"inspect view --log-dir {shlex.quote(str(here))}{port}"

    def of(self, row: Mapping[Any, Any]) -> str | None:
        """Address of the transcript of an answer, a row of `Answers.table`."""
        source = row["source"]
        if self.folder is None or not isinstance(source, str) or not source.endswith(".eval"):
            return None
        log = quote(Path(source).absolute().relative_to(self.folder).as_posix())
        return f"{self.viewer}/#/logs/{log}/samples/sample/{quote(str(row['sample_id']), safe='')}/{row['epoch']}/"
