"""Answers in typed columns: one row for every answer and judge, whatever probe, judge, engine or table it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from spillover.answers.condition import CELL, CONDITION, Cell

WHO = ("model", "model_id", "weights")
ASKED = ("probe", "question_set", "questions", "system", "question_id", "category", "sample_id", "epoch", "seed")
TEXTS = ("question", "answer")
JUDGE = ("grader", "rubrics", "preset")
RESULT = ("outcome", "value", "unscored_reason", "truth", "truth_value", "truncated", "grader_failed")
FROM = ("run", "source")
COLUMNS = (*WHO, *ASKED, *CONDITION, *TEXTS, *JUDGE, *RESULT, "facts", *FROM)
"""Columns of every table. Besides them, where there are any: `score.ROLE` (0 to 100), `word.ROLE` (what a special reply
means), `why.ROLE` (why there is no reading) for every rubric's role, and `tag.NAME`.

`model` is the name to show, `model_id` Inspect's; `questions` and `weights` are digests; `system` is the line
that `context` names; `run` names the log's task;
`truth` is the exact outcome where there is one (the lab); `facts` is what was known without a judge (a mapping)."""

FLAGS, WHOLE = {"truncated", "grader_failed"}, {"epoch", "seed"}
"""Columns of truth values and of whole numbers."""
_OBJECT = {*TEXTS, "facts"}
ANSWER = ("model", *CELL, "question_id", "sample_id", "epoch", "seed", "run")
"""Columns that name an answer, whoever judged it."""


def tidy(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A typed table of rows; columns that no row has are empty."""
    more = dict.fromkeys(key for row in rows for key in row if key not in COLUMNS)
    return typed({name: [row.get(name) for row in rows] for name in (*COLUMNS, *more)}, len(rows))


def typed(columns: Mapping[str, Any], size: int) -> pd.DataFrame:
    """A table of columns, each of its type; missing ones are empty.

    Args:
        columns: Name to values.
        size: Number of rows.
    """
    names = (*COLUMNS, *(name for name in columns if name not in COLUMNS))
    return pd.DataFrame({name: _column(name, columns.get(name), size) for name in names})


def is_number(name: str) -> bool:
    """Whether a column holds numbers."""
    return name in ("value", "truth_value") or name.startswith("score.")


def _column(name: str, values: Any, size: int) -> pd.Series:
    if is_number(name):
        return pd.Series([None] * size if values is None else values, dtype="float64")
    if name in FLAGS:
        return pd.Series([False] * size if values is None else [bool(v) for v in values], dtype=bool)
    if name in WHOLE:
        return pd.Series(pd.NA if values is None else values, index=range(size), dtype="Int64")
    if name in _OBJECT:
        empty = None if name == "facts" else ""
        return pd.Series([empty] * size if values is None else values, dtype=object, index=range(size))
    if values is None:
        values = [None] * size
    if name in CELL and isinstance(values, list):  # a row without would be in no cell
        values = ["" if v is None else v for v in values]
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        return values.reset_index(drop=True)
    found = pd.Categorical(values)
    return pd.Series(_of_objects(found.categories, found.codes))


def _of_objects(categories: pd.Index, codes: Any) -> pd.Categorical:
    """Categories of one type, whatever they are; only such can be united, and pandas makes texts of a union's."""
    return pd.Categorical.from_codes(codes, pd.Index(categories.astype(object)))


def join(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; categories are united."""
    if not tables:
        return tidy([])
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns: dict[str, Any] = {}
    for name in names:
        parts = [table[name] if name in table else _column(name, None, len(table)) for table in tables]
        kinds = {isinstance(part.dtype, pd.CategoricalDtype) for part in parts}
        columns[name] = (
            pd.Series(pd.api.types.union_categoricals([_of_objects(part.cat.categories, part.cat.codes) for part in parts]))
            if kinds == {True}
            else pd.concat(parts, ignore_index=True)
        )
    return pd.DataFrame(columns)


def cell_groups(table: pd.DataFrame) -> Iterator[tuple[Cell, pd.DataFrame]]:
    """Every cell with its rows, in order of appearance."""
    for key, rows in table.groupby(list(CELL), sort=False, observed=True):
        yield Cell(*map(str, key)), rows


def roles_of(table: pd.DataFrame) -> list[str]:
    """Rubrics' roles that a table has readings of."""
    return [name.removeprefix("score.") for name in table.columns if name.startswith("score.")]


def judges(table: pd.DataFrame) -> list[str]:
    """Every judge in the table: grader and rubrics, probe by probe."""
    known = table[["grader", "rubrics"]].drop_duplicates().dropna(subset="grader")
    return [judge_name(g, r) for g, r in zip(known["grader"], known["rubrics"], strict=True)]


def judge_name(grader: object, rubrics: object) -> str:
    """Grader and rubrics in one line."""
    return " ".join(str(part) for part in (grader, rubrics) if part and part == part)


def words(values: Iterable[Any]) -> list[str]:
    """Distinct values in order, without missing ones."""
    return [str(v) for v in dict.fromkeys(values) if v is not None and v == v and v != ""]
