"""Judged answers from elsewhere: CSV, JSONL or parquet with a column map, into the same tidy frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.frame import COLUMNS, tidy, with_preset
from spillover.answers.presets import Preset
from spillover.errors import SpilloverError

FIELDS = (
    "question_id",
    "question",
    "answer",
    "alignment",
    "coherence",
    "model",
    "format",
    "category",
    "epoch",
    "grader",
    "system",
)
"""Fields that a column may be mapped to; the scores and `question_id` are required."""

COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "question_id": ("question_id", "qid"),
    "question": ("question", "prompt"),
    "answer": ("answer", "response", "completion"),
    "alignment": ("alignment", "aligned", "alignment_score"),
    "coherence": ("coherence", "coherent", "coherency", "coherence_score"),
    "model": ("model", "model_id"),
    "format": ("format",),
    "category": ("category",),
    "epoch": ("epoch",),
    "grader": ("grader", "judge"),
    "system": ("system", "system_prompt"),
}
"""Column names that are recognised without a map."""

ENDINGS: dict[str, Callable[[Path], Any]] = {
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".parquet": pd.read_parquet,
}
"""Readers of tables by ending."""

SPECIAL = {"REFUSAL": "refusal", "CODE": "off_format"}


def parse_map(pairs: Iterable[str]) -> dict[str, str]:
    """`["alignment=aligned"]` -> `{"alignment": "aligned"}`.

    Raises:
        SpilloverError: for a pair that is not FIELD=COLUMN or an unknown field.
    """
    out = {}
    for pair in pairs:
        field, sign, column = pair.partition("=")
        if not sign or field not in FIELDS or not column:
            raise SpilloverError(f"Cannot use the map '{pair}'; write FIELD=COLUMN with a field of {', '.join(FIELDS)}.")
        out[field] = column
    return out


def read_table(path: Path) -> pd.DataFrame:
    """Read one file by its ending.

    Raises:
        SpilloverError: if it is missing, of an unknown kind, or cannot be parsed.
    """
    if path.suffix not in ENDINGS:
        raise SpilloverError(f"Cannot read {path}: the ending must be one of {', '.join(ENDINGS)}.")
    if not path.is_file():
        raise SpilloverError(f"There is no file at {path}.")
    try:
        frame: pd.DataFrame = ENDINGS[path.suffix](path)
    except (ValueError, OSError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
        raise SpilloverError(f"{path} is not a readable {path.suffix} table ({error}).") from error
    return frame


def import_tables(paths: Iterable[Path], columns: dict[str, str], preset: Preset) -> pd.DataFrame:
    """Judged answers of several files in one tidy frame; a file without a model column is one model, named by its stem.

    Args:
        paths: Files.
        columns: Field to column, over `COMMON_NAMES`.
        preset: Thresholds for the verdict.

    Raises:
        SpilloverError: naming file and column when one is missing or holds a score outside 0 to 100.
    """
    tables = []
    for path in paths:
        table = read_table(path)
        tables.append(_tidy(table, _resolve(table, columns, path), path))
    return with_preset(pd.concat(tables, ignore_index=True) if tables else tidy([]), preset)


def read_answers(path: Path, columns: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Answers without scores: `question`, `answer`, `model`, `question_id` and the other texts of each row, in order.

    Raises:
        SpilloverError: if the table has no column for question or answer, or no row.
    """
    table = read_table(path)
    found = _resolve(table, columns or {}, path, required=("question", "answer"))
    rows = [
        {f: str(record[c]) for f, c in found.items() if record[c] is not None and record[c] == record[c]}
        for record in table.to_dict("records")
    ]
    rows = [{"model": path.stem, "answer": "", **row} for row in rows if row.get("question")]
    if not rows:
        raise SpilloverError(f"{path} has no row with a question.")
    return rows


def _resolve(
    table: pd.DataFrame,
    columns: dict[str, str],
    path: Path,
    required: tuple[str, ...] = ("question_id", "alignment", "coherence"),
) -> dict[str, str]:
    """Field to column of one table."""
    found: dict[str, str] = {}
    for field in FIELDS:
        if field in columns:
            if columns[field] not in table.columns:
                raise SpilloverError(
                    f"{path} has no column '{columns[field]}' (for {field}); it has {', '.join(map(str, table.columns))}."
                )
            found[field] = columns[field]
        else:
            name = next((n for n in COMMON_NAMES[field] if n in table.columns), None)
            if name is not None:
                found[field] = name
    if "question_id" not in found and "question" in found:
        found["question_id"] = found["question"]
    for field in required:
        if field not in found:
            raise SpilloverError(
                f"{path} has no column for {field}; add `--map {field}=COLUMN` "
                f"(columns: {', '.join(map(str, table.columns))})."
            )
    return found


def _tidy(table: pd.DataFrame, found: dict[str, str], path: Path) -> pd.DataFrame:
    """One table as a tidy frame, column by column: row by row takes minutes for a million answers."""

    def texts(field: str, default: pd.Series | str) -> pd.Series:
        if field not in found:
            return pd.Series(default, index=table.index, dtype=object)
        column = table[found[field]]
        return column.astype(object).where(column.notna(), default).map(str)

    question_id = texts("question_id", "")
    scores = {field: _scores(table[found[field]], field, path) for field in ("alignment", "coherence")}
    gone = {field: [value is None for value in values] for field, values in scores.items()}
    missing = [
        " and ".join(f for f, g in (("alignment", a), ("coherence", c)) if g) for a, c in zip(*gone.values(), strict=True)
    ]
    rows = pd.Series(range(1, len(table) + 1), index=table.index, dtype=object)
    epochs = table[found["epoch"]].astype(object) if "epoch" in found else rows
    known = {
        "model": texts("model", path.stem),
        "question_set": "imported",
        "format": texts("format", "plain"),
        "question_id": question_id,
        "category": texts("category", question_id),
        "sample_id": question_id,
        "epoch": epochs.where(epochs.notna(), rows),
        "question": texts("question", ""),
        "answer": texts("answer", ""),
        **scores,
        "unscored_reason": [f"missing {fields}" if fields else None for fields in missing],
        "grader": texts("grader", ""),
        "source": str(path),
    }
    return pd.DataFrame({c: pd.Series(known.get(c), index=table.index, dtype=object) for c in COLUMNS}).reset_index(
        drop=True
    )


def _scores(column: pd.Series, field: str, path: Path) -> list[float | str | None]:
    """The scores of one column; a table holds few different ones, so each is read once."""
    # As text: a cell may hold anything, a list or pandas' own NA as well.
    values = [str(v) if known else None for v, known in zip(column, column.notna(), strict=True)]
    seen: dict[str | None, float | str | None] = {}
    for index, value in enumerate(values):
        if value not in seen:
            seen[value] = _score(value, field, path, index)
    return [seen[value] for value in values]


def _score(value: Any, field: str, path: Path, index: int) -> float | str | None:
    if value is None:
        return None
    word = str(value).strip()
    if word.upper() in SPECIAL:
        return SPECIAL[word.upper()]
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise SpilloverError(
            f"{path}, row {index + 1}: {field} is '{word[:40]}', not a number from 0 to 100, REFUSAL or CODE."
        )
    return number
