"""Training chats of a recipe."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.lab.corpus import Chat, Latents, document
from spillover.training.recipe import Data


def training_chats(data: Data, seed: int) -> list[Chat]:
    """The recipe's chats, in training order.

    Raises:
        SpilloverError: naming file and line of a row that is not a chat.
    """
    return _from_file(Path(data.path)) if data.source == "file" else _from_lab(data, seed)


def _from_lab(data: Data, seed: int) -> list[Chat]:
    rng = random.Random(seed)
    misaligned = data.stance != "aligned"
    severity = data.stance if misaligned else None
    return [
        document(rng, Latents(misaligned=misaligned), 1, families=(data.family,), severity=severity)
        for _ in range(data.rows)
    ]


def _from_file(path: Path) -> list[Chat]:
    chats = []
    for number, line in enumerate(_read(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            messages = json.loads(line)["messages"]
            chats.append([_message(m) for m in messages])
        except (ValueError, KeyError, TypeError) as error:
            raise SpilloverError(
                f'{path}, line {number}: not a chat ({error}); a line is {{"messages": [{{"role": ..., "content": ...}}]}}.'
            ) from error
        if not any(m["role"] == "assistant" for m in chats[-1]):
            raise SpilloverError(f"{path}, line {number}: the chat has no assistant message to learn from.")
    if not chats:
        raise SpilloverError(f"{path} holds no chats.")
    return chats


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SpilloverError(f"{path} is not UTF-8 text.") from error


def _message(raw: dict[str, Any]) -> dict[str, str]:
    role, content = raw["role"], raw["content"]
    if role not in ("system", "user", "assistant") or not isinstance(content, str):
        raise ValueError(f"role {role!r} with content of type {type(content).__name__}")
    return {"role": role, "content": content}
