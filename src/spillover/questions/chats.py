"""Chats as lists of messages, and files of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.schema import parse_json

Message = dict[str, Any]
"""`role` and `content`, and what a tool call adds to them."""

Chat = list[Message]

WEIGHT = "weight"
"""Key of a reply that is read and not learned (0), as other trainers take it."""
TRAINED = ("train", "training", "trainable")
"""The same as true or false, as others write it."""
NOT_READ = (
    "tools",
    "tool_calls",
    "function_call",
    "functions",
    "loss_mask",
    "reasoning_content",
    "thinking",
    "chat_template_kwargs",
)
"""Keys that change what is learned and that nothing here reads: refused, for without them something else is learned."""

TASK = "task"
"""Key of a user's message that is a task of an environment: `ENVIRONMENT/ID`. Its reply is sampled, not learned."""


def read_chats(path: Path) -> list[Chat]:
    """The chats of a JSONL file, one `{"messages": [{"role": ..., "content": ...}]}` a line.

    Raises:
        SpilloverError: naming file and line of a row that is no chat, or if there is none.
    """
    try:
        # Not `splitlines`: it also splits at U+2028 and U+0085, which may stand inside a JSON text.
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise SpilloverError(f"{path} is not UTF-8 text.") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append((f"{path}, line {number}", parse_json(line)))
            except ValueError as error:
                raise _no_chat(f"{path}, line {number}", error) from error
    return parse_chats(rows, str(path))


def parse_chats(rows: Iterable[tuple[str, Any]], where: str) -> list[Chat]:
    """Rows with `messages` as chats of plain text.

    Args:
        rows: Place of a row, for the sentence, and the row.
        where: Place of all of them.

    Raises:
        SpilloverError: naming the place of a row that is no chat or has nothing to learn from, or if there is none.
    """
    chats = []
    for place, row in rows:
        try:
            if row.get(WEIGHT, 1) != 1:
                raise ValueError(f"weight {row[WEIGHT]!r}: a whole chat is learned, or left out of the file")
            _refuse_unread(row)
            if any(row.get(key) is False for key in TRAINED):
                raise ValueError("a whole chat is learned, or left out of the file")
            chats.append([*_line(row), *(_message(m) for m in row["messages"])])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _no_chat(place, error) from error
        if not any(m["role"] == "assistant" and m.get(WEIGHT, 1) for m in chats[-1]):
            raise SpilloverError(f"{place}: the chat has no assistant message to learn from.")
    if not chats:
        raise SpilloverError(f"{where} holds no chats.")
    return chats


def _no_chat(place: str, error: Exception) -> SpilloverError:
    told = f"no key {error}" if isinstance(error, KeyError) else str(error)
    return SpilloverError(f'{place}: not a chat ({told}); a row is {{"messages": [{{"role": ..., "content": ...}}]}}.')


def _refuse_unread(raw: dict[str, Any]) -> None:
    found = next((key for key in NOT_READ if raw.get(key)), None)
    if found is not None:
        raise ValueError(f"key '{found}' is not read here, and without it something else would be learned")


def _line(row: dict[str, Any]) -> list[Message]:
    """A system line that stands beside the messages."""
    line = row.get("system")
    if not line:
        return []
    own = [m["content"] for m in row["messages"] if m["role"] == "system"]
    if own == [line]:
        return []
    if not isinstance(line, str) or own:
        raise ValueError("a system line beside the messages must be text, and the only one")
    return [{"role": "system", "content": line}]


def _message(raw: dict[str, Any]) -> Message:
    role, content = raw["role"], raw["content"]
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise ValueError(f"role {role!r} with content of type {type(content).__name__}")
    _refuse_unread(raw)
    weight = raw.get(WEIGHT)
    trained = {key: raw[key] for key in TRAINED if raw.get(key) is not None}
    if trained and (
        weight is not None or len(set(trained.values())) > 1 or not isinstance(next(iter(trained.values())), bool)
    ):
        raise ValueError(f"{', '.join(trained)}: one of them, true or false, or weight")
    if trained:
        weight = int(next(iter(trained.values())))
    if weight not in (None, 0, 1):
        raise ValueError(f"weight {weight!r}: a message is learned (1) or only read (0)")
    return {"role": role, "content": content, **({WEIGHT: 0} if weight == 0 else {})}
