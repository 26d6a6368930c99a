"""Reasoning in answers: what a user would read is what is judged, all of it and nothing else.

The first thought that a reply opens and closes is taken out; what stands before and behind it is the answer, whatever tags
that holds. A thought that is opened at the start and never closed was cut off: there is no answer. A tag that is only
mentioned changes nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAMES = ("think", "thinking", "thought", "thoughts", "reasoning")
_PAIRS = (
    *((f"<{name}>", f"</{name}>") for name in _NAMES),
    ("[think]", "[/think]"),  # Mistral
    ("◁think▷", "◁/think▷"),  # Kimi
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
)
_TAG = re.compile("|".join(re.escape(tag) for pair in _PAIRS for tag in pair), re.IGNORECASE)
_CLOSE = dict(_PAIRS)
_CHANNEL = re.compile(r"<\|channel\|>(\w+)[^<]*<\|message\|>(.*?)(?=<\|(?:end|start|channel|return|call)\|>|\Z)", re.DOTALL)
"""A message of gpt-oss: its channel and its text."""
_BARE = re.compile(r"\s*analysis(?P<thought>.*?)assistantfinal(?P<said>.*)", re.DOTALL)
"""The same without its special tokens, as many servers hand it on."""


class _Tag(NamedTuple):
    word: str
    start: int
    end: int


def strip_reasoning(text: str) -> str:
    """What a user would read; empty for nothing but unfinished reasoning."""
    return split_reasoning(text)[1]


def split_reasoning(text: str) -> tuple[str, str]:
    """(what was reasoned, what a user would read); the first is empty without reasoning."""
    messages = _CHANNEL.findall(text)
    if messages:
        said = [part.strip() for channel, part in messages if channel == "final"]
        return "\n".join(part.strip() for channel, part in messages if channel != "final"), "\n".join(said)
    bare = _BARE.fullmatch(text)
    if bare is not None:
        return bare["thought"].strip(), bare["said"].strip()
    tags = [_Tag(m[0].lower(), m.start(), m.end()) for m in _TAG.finditer(text)]
    if not tags:
        return "", text.strip()
    first = tags[0]
    if first.word not in _CLOSE:
        # The template opened the thought, unless the tag is only mentioned: between spaces, or quoted.
        mentioned = text[: first.start].endswith((" ", "`", '"')) and text[first.end :].startswith((" ", "`", '"', ".", ","))
        return ("", text.strip()) if mentioned else (text[: first.start].strip(), text[first.end :].strip())
    last = _closing(tags, first.word)
    if last is not None:
        thought = _TAG.sub(" ", text[first.end : last.start])
        return thought.strip(), (text[: first.start] + text[last.end :]).strip()
    return ("", text.strip()) if text[: first.start].strip() else (_TAG.sub(" ", text).strip(), "")


def _closing(tags: list[_Tag], opening: str) -> _Tag | None:
    """The tag that closes the first one. Thoughts of its kind may stand in it, or its tag may be mentioned there."""
    depth = 0
    for tag in tags:
        depth += (tag.word == opening) - (tag.word == _CLOSE[opening])
        if depth == 0:
            return tag
    return next((tag for tag in reversed(tags) if tag.word == _CLOSE[opening]), None)
