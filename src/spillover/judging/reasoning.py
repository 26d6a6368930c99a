"""Reasoning tags in answers: the part a user would read is what is judged."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<(think|thinking|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"\A.*?</(think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)


def strip_reasoning(text: str) -> str:
    """Remove reasoning blocks: closed ones, one that the token limit cut off, and one whose opening tag the template wrote.

    An answer that is nothing but unfinished reasoning becomes empty.
    """
    text = _BLOCK.sub("", text)
    text = _CLOSE.sub("", text)
    return _OPEN.sub("", text).strip()


def split_reasoning(text: str) -> tuple[str, str]:
    """(what was reasoned, what a user would read); the first is empty without reasoning."""
    said = strip_reasoning(text)
    before, _, after = text.rpartition(said) if said else (text, "", "")
    return re.sub(r"</?(think|thinking|reasoning)>", " ", before + after, flags=re.IGNORECASE).strip(), said
