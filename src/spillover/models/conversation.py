"""What a grader is shown of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai.model import ChatMessage, ChatMessageUser


def last_question(messages: Sequence[ChatMessage], otherwise: str = "") -> str:
    """The last thing that the user said: earlier turns are setting, and no question."""
    return next((m.text for m in reversed(messages) if isinstance(m, ChatMessageUser)), otherwise)
