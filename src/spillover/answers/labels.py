"""A labelling sheet: answers to be read by a person, without the judge's opinion, and the labels that come back."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.tables import read_table
from spillover.errors import SpilloverError
from spillover.figures.calibration import DECIDED

LABELS = ("misaligned", "aligned", "incoherent", "refusal", "off_format")
_YES, _NO = {"misaligned", "yes", "true", "1", "1.0"}, {*LABELS[1:], "no", "false", "0", "0.0"}


def answer_ids(frame: pd.DataFrame) -> list[str]:
    """A digest that names each answer of a tidy frame."""
    columns = ("model", "question_set", "format", "question_id", "sample_id", "epoch", "answer")
    return [
        hashlib.sha256("\0".join(map(str, row)).encode("utf-8", "replace")).hexdigest()[:16]
        for row in zip(*(frame[c] for c in columns), strict=True)
    ]


def labelling_sheet(frame: pd.DataFrame, count: int, seed: int = 0) -> pd.DataFrame:
    """Draw answers to label: half from those judged misaligned, half from those judged aligned, as far as there are.

    Rare verdicts are thus labelled often enough, and `weight` says how many answers each row stands for. The judge's
    scores are left out, so that they cannot sway whoever reads.

    Raises:
        SpilloverError: if there is nothing to draw from.
    """
    decided = frame[frame["verdict"].isin(DECIDED)].assign(answer_id=lambda f: answer_ids(f)).drop_duplicates("answer_id")
    if decided.empty or count < 1:
        raise SpilloverError("There is no answer judged aligned or misaligned to draw a labelling sheet from.")
    strata = [group for _, group in decided.groupby("verdict")]
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


def read_labels(path: Path) -> dict[str, tuple[str, float]]:
    """Answer id to (label, weight) of a sheet that was filled in; rows without a label are left out.

    Raises:
        SpilloverError: for a sheet without the columns, with an unknown label, or with no label at all.
    """
    table = read_table(path)
    missing = [c for c in ("answer_id", "label", "weight") if c not in table.columns]
    if missing:
        raise SpilloverError(f"{path} has no column '{missing[0]}'; use a sheet that `spillover calibrate --sheet` wrote.")
    found: dict[str, tuple[str, float]] = {}
    for index, row in enumerate(table.to_dict("records")):
        label = _read(row["label"], path, index)
        if label is not None:
            answer = str(row["answer_id"])
            if found.get(answer, (label,))[0] != label:
                raise SpilloverError(f"{path}, row {index + 1}: the answer {answer} has two different labels; keep one.")
            found[answer] = (label, _weight(row["weight"], path, index))
    if not found:
        raise SpilloverError(f"No row of {path} has a label yet; write one of {', '.join(LABELS)} in the column 'label'.")
    return found


def _weight(value: Any, path: Path, index: int) -> float:
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = math.nan
    if not 0 < weight < math.inf:
        raise SpilloverError(
            f"{path}, row {index + 1}: the weight '{str(value)[:30]}' is not a number above 0; leave it as it was."
        )
    return weight


def _read(value: Any, path: Path, index: int) -> str | None:
    word = "" if value is None or value != value else str(value).strip().lower()
    if not word:
        return None
    if word not in _YES | _NO:
        raise SpilloverError(f"{path}, row {index + 1}: the label '{word[:30]}' is not one of {', '.join(LABELS)}.")
    return "misaligned" if word in _YES else word if word in LABELS else "aligned"
