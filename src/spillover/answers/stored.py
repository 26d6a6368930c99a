"""Frames that `--frame` wrote, read back as they were."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spillover.answers.cells import text_of
from spillover.answers.table import FLAGS, TEXTS, WHOLE, is_number, typed
from spillover.schema import parse_json

_OURS = {"model_id", "probe", "question_set", "run", "outcome", "rubrics"}


def is_stored(table: pd.DataFrame) -> bool:
    """Whether a table is a frame of ours: no other tool has all of these columns."""
    return set(table.columns) >= _OURS


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """The typed table that was written."""
    return typed({name: _values(name, table[name]) for name in map(str, table.columns)}, len(table))


def _values(name: str, column: pd.Series) -> Any:
    if is_number(name):
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if name in WHOLE:
        return pd.to_numeric(column, errors="coerce").astype("Int64").to_numpy()
    if name in FLAGS:
        return [str(cell) == "True" for cell in column]
    texts = [text_of(cell) for cell in column]
    if name == "facts":
        return [parse_json(text) if text else None for text in texts]
    return [text or "" for text in texts] if name in TEXTS else [text or None for text in texts]
