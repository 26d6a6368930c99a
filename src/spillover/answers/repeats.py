"""Answers that a table holds twice, and columns that tell answers apart which nothing reads: both change a rate silently."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from spillover.errors import SpilloverError

logger = logging.getLogger(__name__)

LONG = 40
"""Characters from which two answers are not the same by chance: "Yes." is said often."""
PART = 0.25
"""Share of long answers that are there again above which it is said."""
TELLING = (
    "adapter", "lora", "checkpoint", "experiment", "condition", "variant", "revision", "temperature", "step", "run_id"
)  # fmt: skip
"""Columns by these names are conditions that a study compares; pooled, they are a model that nobody has."""
_SAID = ["question_id", "format", "context", "question", "answer", "grader"]
_SCORED = [*_SAID, "outcome", "score.alignment", "score.coherence"]


def refuse_repeats(read: dict[Path, pd.DataFrame]) -> None:
    """The same answers of one model in two files would count twice: all of them, or all that the smaller file has.

    Raises:
        SpilloverError: naming both files.
    """
    seen: dict[str, list[tuple[Path, Counter[int]]]] = {}
    for path, table in read.items():
        for model, rows in table.groupby("model", sort=False, observed=True):
            if not (rows["answer"] != "").any():  # without texts two seeds may well look alike
                continue
            mine = Counter(_hashes(rows, _SCORED).tolist())
            long = bool(_long(rows).any())
            for other, its in seen.setdefault(str(model), []):
                less, more = sorted((mine, its), key=lambda c: c.total())
                if less == more or (long and less.total() > 2 and less <= more):
                    raise SpilloverError(f"{other} and {path} hold the same answers of {model}; name one of them.")
            seen[str(model)].append((path, mine))


def tell_repeats(table: pd.DataFrame, raw: pd.DataFrame, used: Collection[str], path: Path) -> None:
    """Say which answers stand in a file more than once, and by which column that nothing reads they differ.

    Args:
        table: As it was read.
        raw: The same rows as they are in the file.
        used: Columns that were read.
        path: File.
    """
    spare = [c for c in map(str, raw.columns) if c not in used and not c.startswith("unfolded ")]
    values = {c: _texts(raw[c]) for c in spare}
    there = [c for c in spare if c.strip().lower() in TELLING and 1 < values[c].nunique() < len(raw)]
    long = _long(table)
    keys = _hashes(table, ["model", *_SAID]).where(long)
    again = keys.duplicated(keep=False) & long
    if long.any() and again.sum() >= PART * long.sum():
        why = "; if rows were repeated by mistake, leave them out"
        # A column that has another value in each of the repeats says why they are there.
        apart = next((c for c in spare if _tells(keys[again], values[c][again.to_numpy()])), None)
        if apart is not None:
            few = ", ".join(sorted(values[apart].unique())[:3])
            why = f", once for each '{apart}' ({few}), which nothing reads: --map grader={apart} if those are judges"
            there = [c for c in there if c != apart]
        logger.warning(
            "%s: %d of %d answers stand there more than once, word for word, and each counts%s.",
            path, int(again.sum()), len(table), why,
        )  # fmt: skip
    for column in there:
        logger.warning(
            "%s: column '%s' has %d values and is not read, so answers of all of them count as one; --map model=%s tells "
            "them apart.",
            path, column, values[column].nunique(), column,
        )  # fmt: skip


def _tells(keys: pd.Series, values: pd.Series) -> bool:
    """Whether the rows of one answer have different values, of a few."""
    pairs = pd.DataFrame({"key": keys.to_numpy(), "value": values.to_numpy()})
    return 1 < pairs["value"].nunique() <= 20 and not pairs.duplicated().any()


def _texts(column: pd.Series) -> pd.Series:
    return column.astype(object).map(str)


def _long(table: pd.DataFrame) -> pd.Series:
    return table["answer"].astype(object).map(lambda text: isinstance(text, str) and len(text) >= LONG)


def _hashes(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    return pd.util.hash_pandas_object(table[columns].astype(object), index=False)
