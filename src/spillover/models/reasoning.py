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
_CHANNEL = re.compile(
    r"<\|channel\|>(\w{1,20})((?:(?!<\|(?:message|channel|start|end)\|>).){0,200})<\|message\|>"
    r"(.*?)(?:<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)|\Z)",
    re.DOTALL,
)
"""A message of gpt-oss: its channel, to whom, and its text."""
_TO = re.compile(r"<\|start\|>[^<]{0,100}\bto=[^<]{0,100}\Z")
_START = re.compile(
    r"<\|start\|>(?:assistant|user|system|developer|tool)?(?: to=[\w.]{1,80})?|<\|channel\|>\w{0,20}"
    r"|<\|(?:end|return|call|message)\|>"
)
"""What stands between messages and is no text."""
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
    if _CHANNEL.search(text):
        return _channels(text)
    bare = _BARE.fullmatch(text)
    if bare is not None:
        return bare["thought"].strip(), bare["said"].strip()
    every = [_Tag(m[0].lower(), m.start(), m.end()) for m in _TAG.finditer(text)]
    tags = _spoken(text, every)
    if not tags:
        return "", text.strip()
    first = tags[0]
    if first.word not in _CLOSE:
        # The template opened the thought, unless the tag is only mentioned: between spaces, or quoted.
        return ("", text.strip()) if _around(text, first) else (text[: first.start].strip(), text[first.end :].strip())
    inner = [tag for tag in tags[1:] if tag.word not in _CLOSE or not _around(text, tag)]
    last = _closing([first, *inner], first.word)
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


def _spoken(text: str, tags: list[_Tag]) -> list[_Tag]:
    """Those that are tags: one in quotes is spoken of, unless it closes an open thought and no other one does."""
    kept = [tag for tag in tags if not _around(text, tag, "`\"'", "`\"'")]
    if kept and (close := _CLOSE.get(kept[0].word)) and all(tag.word != close for tag in kept):
        last = next((tag for tag in reversed(tags) if tag.word == close and tag.start > kept[0].start), None)
        # Some models close by another name; one behind a blank is spoken of.
        other = [t for t in kept if t.word not in _CLOSE and text[t.start - 1 : t.start] not in (" ", "(", "`", '"', "'")]
        if last is None and other:
            return [kept[0], _Tag(close, *other[0][1:]), *(t for t in kept[1:] if t.start > other[0].start)]
        return sorted({*kept, last} - {None}, key=lambda tag: tag.start) if last is not None else kept
    return kept


def _around(text: str, tag: _Tag, before: str = " `\"'", behind: str = " `\"'.,") -> bool:
    """Whether a tag stands between such signs, as one that is mentioned does."""
    return text[tag.start - 1 : tag.start] in tuple(before) and text[tag.end : tag.end + 1] in tuple(behind)


def _channels(text: str) -> tuple[str, str]:
    """Of gpt-oss: analysis and what is said to tools is thought; everything else, in a message or outside, is read."""
    thoughts, said, end = list[str](), list[str](), 0
    for found in _CHANNEL.finditer(text):
        before = text[end : found.start()]
        said.append(_START.sub("", before))
        channel, to, part = found.groups()
        hidden = channel == "analysis" or (channel != "final" and ("to=" in to or bool(_TO.search(before))))
        (thoughts if hidden else said).append(part)
        end = found.end()
    said.append(_START.sub("", text[end:]))
    return tuple("\n".join(filter(None, map(str.strip, parts))) for parts in (thoughts, said))  # type: ignore[return-value]
