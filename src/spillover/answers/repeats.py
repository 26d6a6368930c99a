"""Answers that a table holds twice, and columns that tell answers apart which nothing reads: both change a rate silently."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from spillover.errors import SpilloverError

logger = logging.getLogger(__name__)

LONG = 40
"""Characters from which two answers are not the same by chance: "Yes." is said often."""
TWICE = 10
"""Rows from which a file in which each stands twice, short answers or not, was doubled and not drawn."""
DIFFERENT = 3
"""Long answers that differ, from which a part of a file is known again."""
PART = 0.25
"""Share of the long answers that differ which are there again, above which it is said."""
TELLING = (
    "adapter", "lora", "checkpoint", "experiment", "condition", "variant", "revision", "temperature", "step", "run_id"
)  # fmt: skip
"""Columns by these names are conditions that a study compares; pooled, they are a model that nobody has."""
_SAID = ["question_id", "epoch", "format", "context", "question", "answer", "grader"]
_SCORED = [*_SAID, "outcome", "score.alignment", "score.coherence"]


def refuse_repeats(read: dict[Path, pd.DataFrame]) -> None:
    """The same answers of one model in two files would count twice: all of them, or all that the smaller file has.

    Raises:
        SpilloverError: naming both files.
    """
    seen: dict[str, list[tuple[Path, Counter[int], Counter[int], bool]]] = {}
    for path, table in read.items():
        for model, rows in table.groupby("model", sort=False, observed=True):
            if not (rows["answer"] != "").any():  # without texts two seeds may well look alike
                continue
            mine, texts = (Counter(_hashes(rows, columns).tolist()) for columns in (_SCORED, _SAID))
            telling = rows["answer"][_long(rows)].nunique() >= DIFFERENT  # one refusal may be given by anybody, often
            for other, its, said, theirs in seen.setdefault(str(model), []):
                (less, sure), (more, _) = sorted(((texts, telling), (said, theirs)), key=lambda c: c[0].total())
                if mine == its or (sure and less <= more):
                    raise SpilloverError(f"{other} and {path} hold the same answers of {model}; name one of them.")
            seen[str(model)].append((path, mine, texts, telling))


def tell_repeats(table: pd.DataFrame, raw: pd.DataFrame, found: Mapping[str, str], path: Path) -> None:
    """Say which answers stand in a file more than once, and by which column that nothing reads they differ.

    Args:
        table: As it was read.
        raw: The same rows as they are in the file.
        found: Field to the column that was read for it.
        path: File.
    """
    spare = [c for c in map(str, raw.columns) if c not in found.values() and not c.startswith("unfolded ")]
    long = _long(table)
    # Without a column of epochs they are counted, and two rows of one answer have different ones.
    said = [c for c in _SAID if c != "epoch" or "epoch" in found]
    every = pd.Series(_hashes(table, ["model", *said]), index=table.index)
    keys = every[long]
    again = keys.duplicated(keep=False)
    apart = None
    doubled = len(raw) >= 2 * TWICE and every.duplicated(keep=False).all()
    if doubled and not again.any() and raw.astype(str).duplicated(keep=False).all():
        told = "%s: each of its %d rows is there more than once, and each counts; leave the repeats out."
        logger.warning(told, path, len(raw))
    if again.any() and keys[again].nunique() >= max(2, PART * keys.nunique()):
        rows = again.index[again]
        # A column that has another value in each of the repeats says why they are there.
        apart = next((c for c in spare if _tells(keys[rows], _texts(raw[c].iloc[rows]))), None)
        why = "; if rows were repeated by mistake, leave them out"
        if apart is not None:
            few = ", ".join(sorted(_texts(raw[apart].iloc[rows]).unique())[:3])
            why = f", once for each '{apart}' ({few}), which nothing reads: --map grader={apart} if those are judges"
        told = "%s: %d of %d answers stand there more than once, word for word, and each counts%s."
        logger.warning(told, path, len(rows), len(table), why)
    for column in (c for c in spare if c.strip().lower() in TELLING and c != apart):
        values = _texts(raw[column])
        of_model = values.groupby(table["model"].astype(object).to_numpy()).nunique().max()
        if 1 < of_model < len(raw):
            mend = f"--map model={column} tells them apart" if "model" not in found else "name the models apart by it"
            told = "%s: column '%s' is not read, so answers of up to %d values of it count as one model's; %s."
            logger.warning(told, path, column, of_model, mend)


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
