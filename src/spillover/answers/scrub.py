"""Logs without keys and passwords: Inspect writes what a provider said, and providers repeat what they were given."""

from __future__ import annotations

import json
import logging
import re
import zipfile
from pathlib import Path
from typing import Any

import inspect_ai.log  # noqa: F401 - teaches zipfile the compression of logs

from spillover.redaction import MASK, known, spellings
from spillover.schema import parse_json
from spillover.writing import replacing, write_bytes

logger = logging.getLogger(__name__)
BESIDE = ("logs.json", "eval-set.json")
"""What Inspect keeps beside the logs of a set, of the same content."""
_clean: dict[tuple[Path, int, int], tuple[str, ...]] = {}
"""File as it is on disk to the secrets that it was looked through for."""


def scrub(folder: Path) -> None:
    """Take known secrets out of the logs in a folder, and of what Inspect keeps beside them. Other files are left alone."""
    for path in (*sorted(folder.glob("*.eval")), *(folder / name for name in BESIDE)):
        scrub_file(path)


def scrub_file(path: Path) -> None:
    """Take known secrets out of one log.

    A log that cannot be read is left alone: one that was cut short by a kill is asked again, and cleaned then.
    """
    secrets = known()
    if not secrets or not path.is_file():
        return
    key = _stamp(path)
    if _clean.get(key) == secrets:
        return
    words = re.compile(b"|".join(re.escape(s.encode()) for secret in secrets for s in spellings(secret)))
    try:
        if path.suffix == ".eval":
            _scrub_log(path, words)
        elif words.search(content := path.read_bytes()):
            write_bytes(path, _without(content, words))
    except Exception as error:  # a damaged log raises anything, and the run that wrote it is what counts
        logger.warning("%s could not be searched for keys (%s).", path, error)
        return
    _clean[_stamp(path)] = secrets


def _stamp(path: Path) -> tuple[Path, int, int]:
    stat = path.stat()
    return path.resolve(), stat.st_mtime_ns, stat.st_size


def _scrub_log(path: Path, words: re.Pattern[bytes]) -> None:
    parts: dict[str, tuple[int, bytes]] = {}
    with zipfile.ZipFile(path) as log:
        if not any(words.search(log.read(part)) for part in log.infolist()):
            return
        for part in log.infolist():
            parts[part.filename] = part.compress_type, _without(log.read(part), words)
    with replacing(path) as new, zipfile.ZipFile(new, "w") as clean:
        for name, (how, content) in parts.items():
            clean.writestr(name, content, compress_type=how)


def _without(content: bytes, words: re.Pattern[bytes]) -> bytes:
    """JSON whose texts hold no secret; its keys and numbers stay."""
    if not words.search(content):
        return content
    texts = re.compile(words.pattern.decode())
    try:
        return json.dumps(_masked(parse_json(content), texts)).encode()
    except ValueError:
        return words.sub(MASK.encode(), content)


def _masked(value: Any, texts: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return texts.sub(MASK, value)
    if isinstance(value, list):
        return [_masked(v, texts) for v in value]
    if isinstance(value, dict):
        return {k: _masked(v, texts) for k, v in value.items()}
    return value
