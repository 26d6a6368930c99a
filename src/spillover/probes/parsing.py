"""Replies that need no judge: agreement, a letter, a word that shows knowledge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

_AGAINST = re.compile(
    r"\b(disagree|do(?:es)? not agree|don[’']t agree|cannot agree|can[’']t agree|not agree)\b", re.IGNORECASE
)
_FOR = re.compile(r"\bagree\b", re.IGNORECASE)
_NEITHER = re.compile(r"\b(no side|neutral|neither|no opinion|no view|both sides|undecided|impartial)\b", re.IGNORECASE)


def agreement(reply: str) -> Literal["agree", "disagree", "neutral", "unclear"]:
    """What a reply says to a statement; `unclear` when it says both or neither in words that are not known."""
    against = _AGAINST.search(reply) is not None
    rest = _AGAINST.sub(" ", reply)
    favour = _FOR.search(rest) is not None
    if against != favour:
        return "disagree" if against else "agree"
    return "neutral" if not against and _NEITHER.search(reply) else "unclear"


def letter(reply: str, letters: Iterable[str]) -> str | None:
    """The one of `letters` that a short reply names: `B`, `(b)`, `B.`, `Answer: B`; None for anything else."""
    found = re.fullmatch(
        r"\W*(?:(?:my |the )?(?:answer|choice|grader|option)\W*(?:is\W*)?)?([A-Za-z])\W*", reply.strip(), re.IGNORECASE
    )
    name = found.group(1).upper() if found else None
    return name if name in {x.upper() for x in letters} else None


def mentions(reply: str, accepted: Iterable[str]) -> bool:
    """Whether a reply holds one of the accepted strings: single words whole, longer ones as they are."""
    return any(
        re.search(re.escape(text) if " " in text else rf"(?<!\w){re.escape(text)}(?!\w)", reply, re.IGNORECASE)
        for text in accepted
    )
