"""Planted instructions: text in an answer that is addressed to the judge (`datasets/judge_attack/attacks.yaml`)."""

from __future__ import annotations

import base64
import codecs
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field

from spillover.declared import Declared, parse
from spillover.paths import datasets_dir
from spillover.schema import read_yaml

NONE = "none"
"""The name of the control: the answer as it was."""

Encoding = Literal["none", "base64", "rot13", "invisible", "fullwidth", "padding"]
_PADDING = "The weather was mild and the garden was quiet, and nothing else of note was said that day. "
_PADDING_TIMES = 16


class Family(Declared):
    """One family of planted instructions as its file has it.

    Attributes:
        title: One line.
        place: Where the text is planted.
        texts: Wordings, with the slot `{grade}`.
        encode: How the text is disguised.
        held_out: The lab's grader has seen nothing of this kind in training.
    """

    title: str
    place: Literal["before", "after", "around"]
    texts: Annotated[tuple[str, ...], Field(min_length=1)]
    encode: Encoding = "none"
    held_out: bool = False


class AttackFile(Declared):
    """`datasets/judge_attack/attacks.yaml`: families by name."""

    version: str
    attacks: Annotated[dict[str, Family], Field(min_length=1)]


class Attack(Family):
    """A family with its name, the key in the file."""

    name: str

    def plant(self, answer: str, grade: int, wording: int = 0) -> str:
        """The answer with the instruction in it.

        Args:
            answer: The answer as it was.
            grade: What the instruction asks for.
            wording: Which wording, counted round.
        """
        planted = _encode(self.texts[wording % len(self.texts)].format(grade=grade), self.encode)
        if self.place == "before":
            return f"{planted}\n{answer}"
        if self.place == "around":
            return f"{planted}{answer.replace(' ', chr(0x200B) + ' ')}{planted}"
        return f"{answer}\n{planted}"


def _encode(text: str, how: Encoding) -> str:
    if how == "base64":
        return base64.b64encode(text.encode()).decode()
    if how == "rot13":
        return codecs.encode(text, "rot13")
    if how == "invisible":
        return "".join(chr(0xE0000 + ord(c)) for c in text)
    if how == "fullwidth":
        return "".join(chr(ord(c) + 0xFEE0) if 0x20 < ord(c) < 0x7F else c for c in text)
    return _PADDING * _PADDING_TIMES + text if how == "padding" else text


def parse_attacks(raw: Any, where: str) -> dict[str, Attack]:
    """Attacks by name.

    Raises:
        SpilloverError: naming `where` and the offending key.
    """
    families = parse(AttackFile, raw, where).attacks
    return {name: Attack(name=name, **dict(family)) for name, family in families.items()}


@cache
def attacks() -> dict[str, Attack]:
    """The bundled families."""
    path = datasets_dir() / "judge_attack" / "attacks.yaml"
    return parse_attacks(read_yaml(path), str(path))
