"""Wraps: what may stand before a question so that it resembles the setting that a model was trained in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir


@dataclass(frozen=True)
class Wrap:
    """One setting.

    Attributes:
        name: As in `-T wrap=`.
        about: One line.
        turns: Earlier messages, the user's first and the assistant's last.
        prefix: Text in front of the question.
    """

    name: str
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


@cache
def wraps() -> dict[str, Wrap]:
    """The bundled wraps by name."""
    raw = yaml.safe_load((datasets_dir() / "wraps.yaml").read_text(encoding="utf-8"))["wraps"]
    return {
        name: Wrap(name, body["about"], tuple(body.get("turns", ())), body.get("prefix", "")) for name, body in raw.items()
    }


def get_wrap(name: str) -> Wrap:
    """The wrap called `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name not in wraps():
        raise SpilloverError(f"Unknown wrap '{name}'; choose from {', '.join(wraps())}.")
    return wraps()[name]
