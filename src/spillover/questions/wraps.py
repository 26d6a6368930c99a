"""Wraps: what may stand before a question so that it resembles the setting that a model was trained in."""

from __future__ import annotations

from functools import cache

from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

from spillover.declared import Declared, load
from spillover.errors import SpilloverError, choices
from spillover.paths import datasets_dir


class Wrap(Declared):
    """One setting.

    Attributes:
        about: One line.
        turns: Earlier messages, the user's first and the assistant's last.
        prefix: Text in front of the question.
    """

    about: str
    turns: tuple[str, ...] = ()
    prefix: str = ""

    def wrap(self, messages: list[ChatMessage]) -> list[ChatMessage]:
        """The same messages with the turns after the system message and the prefix before the question."""
        system = [m for m in messages if isinstance(m, ChatMessageSystem)]
        rest = [m for m in messages if not isinstance(m, ChatMessageSystem)]
        earlier: list[ChatMessage] = [
            ChatMessageAssistant(content=text) if index % 2 else ChatMessageUser(content=text)
            for index, text in enumerate(self.turns)
        ]
        asked = ChatMessageUser(content=self.prefix + rest[-1].text)
        return [*system, *earlier, *rest[:-1], asked]


class WrapFile(Declared):
    """`datasets/wraps.yaml`: wraps by name, as in `-T wrap=`."""

    version: str
    wraps: dict[str, Wrap]


@cache
def wraps() -> dict[str, Wrap]:
    """The bundled wraps by name."""
    return load(WrapFile, datasets_dir() / "wraps.yaml").wraps


def get_wrap(name: str) -> Wrap:
    """The wrap called `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name not in wraps():
        raise SpilloverError(f"Unknown wrap '{name}'; {choices(name, wraps())}")
    return wraps()[name]
