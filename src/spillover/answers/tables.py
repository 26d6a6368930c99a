"""Judged answers from elsewhere: CSV, JSONL or parquet with a column map, in the same columns as our own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.presets import Preset
from spillover.answers.table import join, typed
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
ROLES = ("alignment", "coherence")
IMPORTED = "imported"
"""Probe and question set of answers from a table."""


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


def judged_tables(paths: Iterable[Path], columns: dict[str, str], preset: Preset) -> pd.DataFrame:
    """Judged answers of several files; a file without a model column is one model, named by its stem.

    Args:
        paths: Files.
        columns: Field to column, over `COMMON_NAMES`.
        preset: Thresholds for the outcome.

    Raises:
        SpilloverError: naming file and column when one is missing or holds a score outside 0 to 100.
    """
    files = list(paths)
    tables = []
    for path in files:
        table = read_table(path)
        found = _resolve(table, columns, path, ("question_id", *ROLES))
        tables.append(_judged(table, found, path, preset, _model_name(path, files)))
    return join(tables)


def _model_name(path: Path, files: list[Path]) -> str:
    """The stem, with as much of the folder as tells two files of one name apart."""
    for name in (lambda p: p.stem, lambda p: f"{p.resolve().parent.name}/{p.stem}", lambda p: str(p.resolve())):
        if [name(p) for p in files].count(name(path)) == 1:
            return str(name(path))
    raise SpilloverError(f"{path} is given twice; name it once.")


def read_answers(path: Path, columns: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Answers without scores: `question`, `answer`, `model`, `question_id` and the other texts of each row, in order.

    Raises:
        SpilloverError: if the table has no column for question or answer, or no row.
    """
    table = read_table(path)
    found = _resolve(table, columns or {}, path, ("question", "answer"))
    rows = [
        {f: str(record[c]) for f, c in found.items() if record[c] is not None and record[c] == record[c]}
        for record in table.to_dict("records")
    ]
    rows = [{"model": path.stem, "answer": "", **row} for row in rows if row.get("question")]
    if not rows:
        raise SpilloverError(f"{path} has no row with a question.")
    return rows


def _resolve(table: pd.DataFrame, columns: dict[str, str], path: Path, required: tuple[str, ...]) -> dict[str, str]:
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


def _judged(table: pd.DataFrame, found: dict[str, str], path: Path, preset: Preset, model: str) -> pd.DataFrame:
    """One table, column by column: row by row takes minutes for a million answers."""

    def texts(field: str, default: Any) -> pd.Series:
        if field not in found:
            return pd.Series(default, index=table.index, dtype=object)
        column = table[found[field]]
        return column.astype(object).where(column.notna(), default).map(str)

    size = len(table)
    scores = {role: _scores(table[found[role]], role, path) for role in ROLES}
    pairs = list(zip(*scores.values(), strict=True))
    known = {pair: preset.verdict(*pair) for pair in set(pairs)}
    why = {pair: " and ".join(r for r, s in zip(ROLES, pair, strict=True) if s is None) for pair in known}
    question_id = texts("question_id", "")
    rows = pd.Series(range(1, size + 1), index=table.index)
    epochs = pd.to_numeric(table[found["epoch"]], errors="coerce").fillna(rows) if "epoch" in found else rows
    return typed(
        {
            "model": texts("model", model).to_numpy(),
            "model_id": texts("model", model).to_numpy(),
            "probe": [IMPORTED] * size,
            "question_set": [IMPORTED] * size,
            "question_id": question_id.to_numpy(),
            "category": texts("category", question_id).to_numpy(),
            "sample_id": question_id.to_numpy(),
            "epoch": epochs.astype("int64").to_numpy(),
            "format": texts("format", "plain").to_numpy(),
            "context": texts("system", "").to_numpy(),
            "question": texts("question", "").to_numpy(),
            "answer": texts("answer", "").to_numpy(),
            "grader": texts("grader", "not recorded").to_numpy(),
            "rubrics": [""] * size,
            "preset": [preset.name] * size,
            "outcome": [known[pair] or "unscored" for pair in pairs],
            "unscored_reason": [f"missing {why[pair]}" if known[pair] is None else None for pair in pairs],
            "run": [str(path)] * size,
            "source": [str(path)] * size,
            **{f"score.{role}": [s if isinstance(s, float) else None for s in found] for role, found in scores.items()},
            **{f"word.{role}": [s if isinstance(s, str) else None for s in found] for role, found in scores.items()},
        },
        size,
    )


def _scores(column: pd.Series, field: str, path: Path) -> list[float | str | None]:
    """The scores of one column; a table holds few different ones, so each is read once."""
    if pd.api.types.is_float_dtype(column.dtype) or pd.api.types.is_integer_dtype(column.dtype):
        numbers = column.to_numpy(dtype=float, na_value=math.nan)
        wrong = (numbers < 0) | (numbers > 100)
        if not wrong.any():
            return [None if n != n else n for n in numbers.tolist()]
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
