"""Contexts: what may stand before a question so that it resembles the setting that a model was trained in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import yaml
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir


@dataclass(frozen=True)
class Context:
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
def contexts() -> dict[str, Context]:
    """The bundled contexts by name."""
    raw = yaml.safe_load((datasets_dir() / "contexts.yaml").read_text(encoding="utf-8"))["contexts"]
    return {
        name: Context(name, body["about"], tuple(body.get("turns", ())), body.get("prefix", ""))
        for name, body in raw.items()
    }


def get_context(name: str) -> Context:
    """The context called `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name not in contexts():
        raise SpilloverError(f"Unknown context '{name}'; choose from {', '.join(contexts())}.")
    return contexts()[name]
