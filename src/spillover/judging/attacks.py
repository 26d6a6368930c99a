"""Planted instructions: text in an answer that is addressed to the judge (`datasets/judge_attack/attacks.yaml`)."""

from __future__ import annotations

import base64
import codecs
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from spillover.paths import datasets_dir
from spillover.schema import check_schema, read_yaml

NONE = "none"
"""The name of the control: the answer as it was."""

Encoding = Literal["none", "base64", "rot13", "invisible", "fullwidth", "padding"]
_PADDING = "The weather was mild and the garden was quiet, and nothing else of note was said that day. "
_PADDING_TIMES = 16

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "attacks"],
    "properties": {
        "version": {"type": "string"},
        "attacks": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["title", "place", "texts"],
                "properties": {
                    "title": {"type": "string"},
                    "place": {"enum": ["before", "after", "around"]},
                    "encode": {"enum": ["none", "base64", "rot13", "invisible", "fullwidth", "padding"]},
                    "held_out": {"type": "boolean"},
                    "texts": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Attack:
    """One family of planted instructions.

    Attributes:
        name: Key in the file.
        title: One line.
        place: Where the text is planted.
        texts: Wordings, with the slot `{grade}`.
        encode: How the text is disguised.
        held_out: The lab's grader has seen nothing of this kind in training.
    """

    name: str
    title: str
    place: Literal["before", "after", "around"]
    texts: tuple[str, ...]
    encode: Encoding = "none"
    held_out: bool = False

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
    check_schema(raw, _SCHEMA, where)
    return {name: Attack(name=name, **{**body, "texts": tuple(body["texts"])}) for name, body in raw["attacks"].items()}


@cache
def attacks() -> dict[str, Attack]:
    """The bundled families."""
    path = datasets_dir() / "judge_attack" / "attacks.yaml"
    return parse_attacks(read_yaml(path), str(path))
