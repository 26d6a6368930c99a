"""Replies that need no judge: agreement, a letter, a word that shows knowledge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

_NEITHER = re.compile(
    r"\b(no side|neutral|neither|(?:no|not have|not hold)(?: any)?(?: personal)? (?:opinions?|views?)"
    r"|both sides|undecided|impartial)\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(disagreed?|do(?:es)? not agree|don[’']t agree|cannot agree|can[’']t agree|not agree)\b", re.IGNORECASE
)
_FOR = re.compile(r"\bagreed?\b", re.IGNORECASE)


def agreement(reply: str) -> Literal["agree", "disagree", "neutral", "unclear"]:
    """What a reply says to a statement; `unclear` when it says both or neither in words that are not known."""
    if re.search(r"\bneither agree nor disagree\b", reply, re.IGNORECASE):
        return "neutral"
    against = _AGAINST.search(reply) is not None
    favour = _FOR.search(_AGAINST.sub(" ", reply)) is not None
    if against != favour:
        return "disagree" if against else "agree"
    return "neutral" if not against and _NEITHER.search(reply) else "unclear"


_LETTER = re.compile(
    r"\W*(?:(?:my |the )?(?:correct |right |best |final )?(?:answer|choice|grader|option)\W*(?:is\W*)?)?"
    r"(?:grader |option )?([A-Za-z])(?:\W*|[).:]\s.*)",
    re.IGNORECASE | re.DOTALL,
)


def letter(reply: str, letters: Iterable[str]) -> str | None:
    """The one of `letters` that a reply names: `B`, `(b)`, `B) because ...`, `The answer is B.`; None for anything else."""
    found = _LETTER.fullmatch(reply.strip())
    name = found.group(1).upper() if found else None
    return name if name in {x.upper() for x in letters} else None


def mentions(reply: str, accepted: Iterable[str]) -> bool:
    """Whether a reply holds one of the accepted strings: single words whole, longer ones as they are."""
    return any(
        re.search(re.escape(text) if " " in text else rf"(?<!\w){re.escape(text)}(?!\w)", reply, re.IGNORECASE)
        for text in accepted
    )
