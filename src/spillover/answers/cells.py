"""Cells of tables from elsewhere as text: ids stay ids, words stay words, and conversations are taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd


class Turns(NamedTuple):
    """A prompt: its system line, and what was asked."""

    system: str
    question: str


def text_of(cell: Any) -> str | None:
    """A cell as text; None for nothing. A whole number stays one, although a column with gaps makes it a fraction."""
    if isinstance(cell, str):
        return cell
    found = turns_of(cell)
    if found is not None:
        return found.question
    if isinstance(cell, list | tuple) or hasattr(cell, "tolist"):
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
            cell = json.loads(cell)
        except ValueError:
            return None
    cell = _plain(cell)
    if not (isinstance(cell, list) and cell and all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in cell)):
        return None
    system = "\n".join(_content(m["content"]) for m in cell if m["role"] in ("system", "developer"))
    others = [(str(m["role"]), _content(m["content"])) for m in cell if m["role"] not in ("system", "developer")]
    if len(others) == 1:
        return Turns(system, others[0][1])
    return Turns(system, "\n\n".join(f"{role}: {text}" for role, text in others))


def answers_of(cell: Any) -> list[str]:
    """The answers in a cell: one text, the last reply of a conversation, or each of a list of them."""
    plain = _plain(cell)
    if isinstance(plain, list) and plain and all(isinstance(m, dict) and "content" in m for m in plain):
        return [_content(plain[-1]["content"])]
    if isinstance(plain, list):
        return [text_of(part) or "" for part in plain]
    return [text_of(cell) or ""]


def first_list(column: pd.Series) -> int | None:
    """Place of the first cell that holds a list."""
    return next((i for i, cell in enumerate(column) if isinstance(_plain(cell), list)), None)


def _content(content: Any) -> str:
    """Text of a message; of parts, those that are text."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content)
    return "" if content is None else str(content)


def _plain(cell: Any) -> Any:
    """Parquet's arrays as lists."""
    as_list: Callable[[], Any] | None = getattr(cell, "tolist", None)
    if as_list is not None and getattr(cell, "ndim", None):
        return [_plain(part) for part in as_list()]
    return cell
