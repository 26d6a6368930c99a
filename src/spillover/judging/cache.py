"""Judgements kept on disk: a judge is asked once for the same rubric, grader and answer, in whatever run or log.

The key is a digest of rubric, reader, grader identity and prompt (which holds question and answer). Only readings that were
understood are kept, so a failed judgement is asked again the next time. One SQLite file in WAL mode: a killed process
loses nothing that it was told, and several processes may share it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from spillover.errors import SpilloverError
from spillover.judging.readers import Reading
from spillover.judging.rubric import Rubric
from spillover.paths import cache_dir
from spillover.schema import parse_json

_TABLE = "create table if not exists judgement (key text primary key, reading text not null) without rowid"


READERS_VERSION = "2"
"""Rises whenever a reader would read the same reply differently."""

logger = logging.getLogger(__name__)


def judgement_key(rubric: Rubric, mode: str, grader: str, prompt: str) -> str:
    """SHA-256 over everything that can change a reading."""
    return hashlib.sha256(
        "\0".join([READERS_VERSION, rubric.digest, mode, grader, prompt]).encode("utf-8", "replace")
    ).hexdigest()


class JudgementCache:
    """Readings by key.

    Args:
        path: The file; it is made when missing.

    Raises:
        SpilloverError: if the file cannot be opened as a cache.
    """

    def __init__(self, path: Path) -> None:
        self._asked: dict[str, asyncio.Future[Reading | None]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.execute(_TABLE)
        except (sqlite3.Error, OSError) as error:
            raise SpilloverError(
                f"The cache of judgements at {path} cannot be used ({error}); delete it, or set SPILLOVER_JUDGEMENTS to "
                "another file."
            ) from error

    def get(self, key: str) -> Reading | None:
        """The reading kept under `key`."""
        try:
            row = self._db.execute("select reading from judgement where key = ?", (key,)).fetchone()
            return Reading(**{**parse_json(row[0]), "cached": True}) if row else None
        except (TypeError, ValueError, sqlite3.Error):  # written by another version, or not to be read now: ask instead
            return None

    def put(self, key: str, reading: Reading, replace: bool = True) -> None:
        """Keep a reading that was understood. A full or read-only disk costs the cache, never the reading."""
        body = json.dumps({k: v for k, v in reading.as_dict().items() if k != "cached"})
        how = "replace" if replace else "ignore"
        try:
            self._db.execute(f"insert or {how} into judgement values (?, ?)", (key, body))
        except sqlite3.Error as error:
            logger.warning("A judgement could not be kept in the cache (%s).", error)

    async def once(
        self, key: str, ask: Callable[[], Awaitable[Reading]], fits: Callable[[Reading], bool] = lambda reading: True
    ) -> Reading:
        """The kept reading if it `fits`, else that of whoever is asking for the same one now, else `ask`'s own."""
        while True:
            kept = self.get(key)
            if kept is not None and fits(kept):
                return kept
            other = self._asked.get(key)
            if other is None or other.get_loop() is not asyncio.get_running_loop():
                break
            await asyncio.wait([other])  # which never cancels the other one along with us
            shared = other.result()
            if shared is not None:  # None: the other one was cancelled, so it is our turn
                return shared if shared.reason else replace(shared, cached=True)
        mine = self._asked[key] = asyncio.get_running_loop().create_future()
        reading: Reading | None = None
        try:
            reading = await ask()
            if reading.reason is None:
                self.put(key, reading)
            return reading
        finally:
            self._asked.pop(key, None)
            mine.set_result(reading)


def cache_path() -> Path:
    """`$SPILLOVER_JUDGEMENTS`, else `judgements.sqlite` in the cache folder."""
    chosen = os.environ.get("SPILLOVER_JUDGEMENTS")
    return Path(chosen).expanduser() if chosen else cache_dir() / "judgements.sqlite"


@lru_cache(maxsize=4)
def open_cache(path: Path) -> JudgementCache:
    """The cache at `path`, opened once in a process."""
    return JudgementCache(path)
