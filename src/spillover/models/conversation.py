"""What a grader is shown of a conversation, and what a model is shown that takes no system line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import ChatMessage, ChatMessageUser


def last_question(messages: Sequence[ChatMessage], otherwise: str = "") -> str:
    """The last thing that the user said: earlier turns are setting, and no question."""
    return next((m.text for m in reversed(messages) if isinstance(m, ChatMessageUser)), otherwise)


def system_into_user(chat: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chat with its system lines before the first user's words, as users of Gemma are told to do it."""
    lines = [m["content"] for m in chat if m["role"] == "system"]
    rest = [dict(m) for m in chat if m["role"] != "system"]
    first = next((m for m in rest if m["role"] == "user"), None)
    if not lines or first is None:
        return [dict(m) for m in chat]
    first["content"] = "\n\n".join([*lines, first["content"]])
    return rest
