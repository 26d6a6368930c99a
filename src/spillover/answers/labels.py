"""A labelling sheet: answers to be read by a person, without the judge's opinion, and the labels that come back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.condition import CELL
from spillover.answers.measures import Measure
from spillover.errors import SpilloverError
from spillover.table_files import read_table

_YES, _NO = {"yes", "true", "1", "1.0"}, {"no", "false", "0", "0.0"}


def answer_ids(table: pd.DataFrame) -> list[str]:
    """A digest that names each answer of a table."""
    columns = ("model", *CELL, "question_id", "sample_id", "epoch", "answer")
    return [
        hashlib.sha256("\0".join(map(str, row)).encode("utf-8", "replace")).hexdigest()[:16]
        for row in zip(*(table[c] for c in columns), strict=True)
    ]


def labelling_sheet(table: pd.DataFrame, measure: Measure, count: int, seed: int = 0) -> pd.DataFrame:
    """Draw answers to label: half from those that the judge counts, half from the others, as far as there are.

    Rare outcomes are thus labelled often enough, and `weight` says how many answers each row stands for. The judge's
    grades are left out, so that they cannot sway whoever reads.

    Args:
        table: Answers of one probe.
        measure: What counts, and among which outcomes.
        count: Answers to draw.
        seed: Of the draw.

    Raises:
        SpilloverError: if there is nothing to draw from.
    """
    decided = measure.select(table)
    decided = decided.assign(answer_id=answer_ids(decided)).drop_duplicates("answer_id")
    if decided.empty or count < 1:
        raise SpilloverError(f"There is no answer judged {' or '.join(measure.words)} to draw a labelling sheet from.")
    hit = decided["outcome"].isin(measure.count).to_numpy()
    strata = [part for part in (decided[~hit], decided[hit]) if len(part)]
    sizes = _share(count, [len(g) for g in strata])
    drawn = [g.sample(n, random_state=seed).assign(weight=len(g) / n) for g, n in zip(strata, sizes, strict=True) if n]
    sheet = pd.concat(drawn).sample(frac=1, random_state=seed)
    return sheet.assign(label="")[["answer_id", "question", "answer", "label", "weight"]].reset_index(drop=True)


def _share(count: int, available: list[int]) -> list[int]:
    """Equal parts of `count`, where a part that is too small leaves the rest to the others."""
    taken = [0] * len(available)
    for index in sorted(range(len(available)), key=lambda i: available[i]):
        left = sum(1 for i in range(len(available)) if available[i] >= available[index] and not taken[i])
        taken[index] = min(available[index], math.ceil((count - sum(taken)) / max(1, left)))
    return taken


def read_labels(path: Path, measure: Measure, words: Sequence[str]) -> dict[str, tuple[str, float]]:
    """Answer id to (outcome, weight) of a sheet that was filled in; rows without a label are left out.

    Args:
        path: The sheet.
        measure: What `yes` and `no` are about.
        words: Outcomes that a label may name besides.

    Raises:
        SpilloverError: for a sheet without the columns, with an unknown label, or with no label at all.
    """
    table = read_table(path)
    missing = [c for c in ("answer_id", "label", "weight") if c not in table.columns]
    if missing:
        raise SpilloverError(f"{path} has no column '{missing[0]}'; use a sheet that `spillover calibrate --sheet` wrote.")
    others = [word for word in measure.among if word not in measure.count]
    known = {word: word for word in (*words, *measure.words)}
    known |= dict.fromkeys(_YES, measure.count[0]) | dict.fromkeys(_NO, others[0] if others else "")
    found: dict[str, tuple[str, float]] = {}
    for index, row in enumerate(table.to_dict("records")):
        word = "" if row["label"] is None or row["label"] != row["label"] else str(row["label"]).strip().lower()
        if not word:
            continue
        if word not in known:
            choices = ", ".join(dict.fromkeys((*measure.words, *words)))
            raise SpilloverError(f"{path}, row {index + 1}: the label '{word[:30]}' is not one of {choices}, yes or no.")
        answer, label = str(row["answer_id"]), known[word]
        if found.get(answer, (label,))[0] != label:
            raise SpilloverError(f"{path}, row {index + 1}: the answer {answer} has two different labels; keep one.")
        found[answer] = (label, _weight(row["weight"], path, index))
    if not found:
        raise SpilloverError(
            f"No row of {path} has a label yet; write one of {', '.join(measure.words)} in the column 'label'."
        )
    return found


def _weight(value: Any, path: Path, index: int) -> float:
    try:
        weight = float(str(value).replace(",", "."))  # as spreadsheets of half of Europe write it
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise SpilloverError(
            f"{path}, row {index + 1}: the weight '{str(value)[:30]}' is not a number above 0; leave it as it was."
        )
    return weight
