"""Cells of tables from elsewhere as text: ids stay ids, words stay words, and conversations are taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from spillover.schema import parse_json


class Turns(NamedTuple):
    """A conversation: its system line, what was asked, and the reply if it ends with one."""

    system: str
    question: str
    answer: str | None = None

    @property
    def whole(self) -> str:
        """All of it but the system line."""
        return self.question if self.answer is None else f"{self.question}\n\nassistant: {self.answer}"


def text_of(cell: Any) -> str | None:
    """A cell as text; None for nothing. A whole number stays one, although a column with gaps makes it a fraction."""
    if isinstance(cell, str):
        return cell
    found = turns_of(cell)
    if found is not None:
        return found.question
    if isinstance(cell, list | tuple | dict) or hasattr(cell, "tolist"):
        return json.dumps(_plain(cell), ensure_ascii=False)
    if cell is None or pd.isna(cell):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def texts_of(column: pd.Series, default: str) -> pd.Series:
    """A column as texts; an empty cell is the default."""
    if isinstance(column.dtype, pd.StringDtype):
        filled = column.astype(object).where(column.notna(), default)
        return filled.where(filled != "", default) if default else filled
    return pd.Series([text_of(cell) or default for cell in column], index=column.index, dtype=object)


def turns_of(cell: Any) -> Turns | None:
    """A list of messages, as it is or as JSON; None for anything else.

    Of several turns the judge sees all, with their roles: what was asked may depend on them.
    """
    if isinstance(cell, str) and cell.lstrip()[:2] in ("[{", "[ {"):
        try:
            cell = parse_json(cell)
        except ValueError:
            return None
    cell = [cell] if isinstance(cell, dict) else _plain(cell)
    if not (isinstance(cell, list) and cell and all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in cell)):
        return None
    system = "\n".join(_content(m["content"]) for m in cell if m["role"] in ("system", "developer"))
    others = [(str(m["role"]), _content(m["content"])) for m in cell if m["role"] not in ("system", "developer")]
    answer = others.pop()[1] if len(others) > 1 and others[-1][0] == "assistant" else None
    if len(others) == 1:
        return Turns(system, others[0][1], answer)
    return Turns(system, "\n\n".join(f"{role}: {text}" for role, text in others), answer)


def answers_of(cell: Any) -> list[str]:
    """The answers in a cell: a text, a message or its parts, the last reply of a conversation, or each of a list of them.

    Raises:
        ValueError: for a list of anything else.
    """
    plain = _plain(cell)
    if isinstance(plain, dict) and "content" in plain:
        return [_content(plain["content"])]
    if not isinstance(plain, list) or not plain:
        return [text_of(cell) or ""]
    if all(isinstance(part, dict) and "content" in part for part in plain):
        return [_content(plain[-1]["content"])]
    if all(isinstance(part, dict) and "text" in part for part in plain):
        return [_content(plain)]
    if any(isinstance(part, dict | list) for part in plain):
        raise ValueError("a list of objects that are no messages")
    return [text_of(part) or "" for part in plain]


def first_list(column: pd.Series) -> int | None:
    """Place of the first cell that holds a list or an object."""
    if isinstance(column.dtype, pd.StringDtype):
        return None
    return next((i for i, cell in enumerate(column) if isinstance(_plain(cell), list | dict)), None)


def _content(content: Any) -> str:
    """Text of a message; of parts, all of them.

    Raises:
        ValueError: for a part that is no text.
    """
    if isinstance(content, list):
        other = next((p for p in content if isinstance(p, dict) and "text" not in p), None)
        if other is not None:
            raise ValueError(f"a part that is no text ({other.get('type', 'unknown')})")
        return "".join(str(part["text"]) if isinstance(part, dict) else str(part) for part in content)
    return "" if content is None else str(content)


def _plain(cell: Any) -> Any:
    """Parquet's arrays as lists."""
    as_list: Callable[[], Any] | None = getattr(cell, "tolist", None)
    if as_list is not None and getattr(cell, "ndim", None):
        return [_plain(part) for part in as_list()]
    return cell
