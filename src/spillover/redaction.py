"""Keys and passwords: known by where they come from, and taken out of everything that is kept or shown.

Providers repeat a key in the error that refuses it, and a proxy may put one into an answer.
"""

from __future__ import annotations

import base64
import json
import os
import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit

MASK = "[secret]"
LEAST = 8
"""Characters of a value that counts as a secret: shorter ones stand in ordinary text."""
SECRET_NAME = re.compile(r"(^|[_-])(key|token|secret|password)$", re.IGNORECASE)
"""Names of arguments that hold one: `pad_token_id` is a setting, and part of who a model is."""
_HOLDS = re.compile(r"(^|[_-])(key|token|secret|password)([_-]|$)", re.IGNORECASE)
"""The same of variables in the environment, such as AWS_BEARER_TOKEN_BEDROCK."""
_USER = re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")
_BEARER = re.compile(r"(?<=Bearer )(?=\S*\d)[A-Za-z0-9._~+/-]{12,}=*")
_given: set[str] = set()


def register(name: str, value: str) -> None:
    """Keep in mind what an option or argument holds, if it is secret: a key, or an address with a password."""
    _given.update(_secrets_in(name, value))


def known() -> tuple[str, ...]:
    """Every secret value that is known, the longest first."""
    found = set(_given)
    for name, value in os.environ.items():
        found.update(_secrets_in(name, value))
    return tuple(sorted(found, key=lambda s: (-len(s), s)))


def redact(text: str) -> str:
    """The text without known secrets, users and passwords in addresses, and bearer tokens."""
    found = known()
    if found:
        text = _pattern(found).sub(MASK, text)
    return _BEARER.sub(MASK, _USER.sub(MASK, text))


def spellings(secret: str) -> tuple[str, ...]:
    """How it may stand in JSON."""
    return tuple(dict.fromkeys((secret, json.dumps(secret)[1:-1])))


@lru_cache(maxsize=8)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(s) for s in secrets))


def _is_secret(value: str) -> bool:
    """Long enough, and neither a number nor a word: those stand in answers, too."""
    mixed = re.search(r"[A-Za-z]", value) and re.search(r"[^A-Za-z]", value)
    return len(value) >= LEAST and not value.isdigit() and (len(value) >= 2 * LEAST or bool(mixed))


def _secrets_in(name: str, value: str) -> set[str]:
    found: set[str] = set()
    if _HOLDS.search(name) and _is_secret(value) and not os.path.exists(value):
        found.add(value)
    if "://" in value and "@" in value:
        try:
            parts = urlsplit(value)
        except ValueError:
            return found
        if parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password)
            pairs = {f"{parts.username}:{parts.password}", f"{user}:{password}"}
            found |= pairs | {base64.b64encode(pair.encode()).decode() for pair in pairs}
            found |= {p for p in (parts.password, password) if _is_secret(p)}
    return found
