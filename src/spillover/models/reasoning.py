"""Reasoning tags in answers: the part a user would read is what is judged."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<(think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"\A.*?</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?(think|thinking|reasoning)>", re.IGNORECASE)


def strip_reasoning(text: str) -> str:
    """Remove reasoning blocks: closed ones, one that the token limit cut off, and one whose opening tag the template wrote.

    An answer that is nothing but unfinished reasoning becomes empty.
    """
    return split_reasoning(text)[1]


def split_reasoning(text: str) -> tuple[str, str]:
    """(what was reasoned, what a user would read); the first is empty without reasoning."""
    thoughts = []

    def keep(match: re.Match[str]) -> str:
        thoughts.append(_TAG.sub(" ", match.group(0)).strip())
        return ""

    rest = text
    for pattern in (_BLOCK, _CLOSE, _OPEN):
        rest = pattern.sub(keep, rest)
    return "\n".join(filter(None, thoughts)), rest.strip()
