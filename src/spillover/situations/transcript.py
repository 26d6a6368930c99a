"""What an agent did as text: a line for everything it said and every call with its answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def transcript(messages: Iterable[dict[str, Any]]) -> str:
    """Lines `agent: ...`, `agent calls write_file(path=a.txt, text=...)` and `-> ok`.

    Args:
        messages: In the OpenAI layout: `role`, `content`, `tool_calls` with `function.name` and `function.arguments`. What
            others than the assistant and the tools said is left out.
    """
    lines = []
    for message in messages:
        if message["role"] == "tool":
            lines.append(f"-> {_inside(message['content'])}")
        if message["role"] != "assistant":
            continue
        if message.get("content"):
            lines.append(f"agent: {_inside(message['content'])}")
        for call in message.get("tool_calls") or []:
            arguments = ", ".join(f"{k}={_inside(str(v))}" for k, v in call["function"]["arguments"].items())
            lines.append(f"agent calls {call['function']['name']}({arguments})")
    return "\n".join(lines)


def _inside(text: str) -> str:
    """Text of several lines, marked so that none of them can pass for a line of the record."""
    return text.replace("\n", "\n  | ")
