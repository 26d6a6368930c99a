"""How a table from elsewhere is to be read: which column holds what, what its words mean, and the scale of its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from spillover.answers.presets import VERDICTS
from spillover.errors import SpilloverError

COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "question_id": ("question_id", "qid"),
    "question": ("question", "prompt", "messages"),
    "answer": ("answer", "response", "completion"),
    "alignment": ("alignment", "aligned", "alignment_score"),
    "coherence": ("coherence", "coherent", "coherency", "coherence_score"),
    "outcome": ("outcome", "verdict", "misaligned", "is_misaligned"),
    "model": ("model", "model_id", "model_name"),
    "format": ("format",),
    "category": ("category",),
    "epoch": ("epoch",),
    "grader": ("grader", "judge", "judge_model", "grader_model"),
    "system": ("system", "system_prompt", "system_message"),
}
"""Field to the column names that are recognised without a map."""

SCORES = ("alignment", "coherence")
FIELDS = tuple(COMMON_NAMES)
"""Fields that a column may be mapped to."""

SPECIAL = {"REFUSAL": "refusal", "CODE": "off_format"} | {word.upper(): word for word in VERDICTS}
YES_NO = dict.fromkeys(("YES", "TRUE", "1", "1.0"), "misaligned") | dict.fromkeys(("NO", "FALSE", "0", "0.0"), "aligned")
"""Words of a column that says whether an answer is misaligned."""
UNSCORED_WORD = "unscored"
TEXTS = ("question", "answer", "system")
GRADERS = ("judge_", "grader_")
_WORDS = (".text", ".content")
"""How nested JSON calls what was said."""
MISSING = frozenset(("", "nan", "none", "null", "na", "n/a", "<na>", "-"))
"""What stands where there is no score; elsewhere these are words like others."""


@dataclass(frozen=True)
class Layout:
    """See the module.

    Attributes:
        columns: Field to column, over `COMMON_NAMES`.
        words: Word in a column of scores (upper case) to the outcome that it means, over `SPECIAL`.
        top: Field to the highest score there is, where that is not 100; scores are given from 0 to it.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    top: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Iterable[str] = (), words: Iterable[str] = (), top: Iterable[str] = ()) -> Layout:
        """From `["alignment=aligned"]`, `["OFF-TOPIC=unscored"]` and `["10"]` or `["alignment=10"]`.

        Raises:
            SpilloverError: for a pair that is not FIELD=COLUMN or WORD=OUTCOME, or a scale that ends at 0.
        """
        columns, means = {}, {}
        for pair in pairs:
            name, sign, column = pair.partition("=")
            if not sign or name not in FIELDS or not column:
                raise SpilloverError(f"Cannot use the map '{pair}'; write FIELD=COLUMN with a field of {', '.join(FIELDS)}.")
            columns[name] = column
        known = (*VERDICTS, UNSCORED_WORD)
        for pair in words:
            word, sign, outcome = pair.rpartition("=")
            if not sign or not word.strip() or outcome not in known:
                raise SpilloverError(f"Cannot use '{pair}'; write WORD=OUTCOME with an outcome of {', '.join(known)}.")
            means[word.strip().upper()] = outcome
        highest: dict[str, float] = {}
        for text in top:
            name, sign, number = text.rpartition("=")
            try:
                value = float(number)
            except ValueError:
                value = 0.0
            if not 0 < value < float("inf") or (sign and name not in SCORES):
                raise SpilloverError(f"Cannot use --top '{text}'; write the highest score, or alignment=10.")
            highest |= {name: value} if sign else dict.fromkeys(SCORES, value)
        return cls(columns, means, highest)

    def resolve(self, table: pd.DataFrame, path: Path, required: Iterable[str]) -> dict[str, str]:
        """Field to column of one table.

        A nested column is known by its whole name (`question.id`, `answer.text`, `model.name`) or its last one
        (`judge.alignment`), if that is clear; what lies in a judge's is no model's name, and no column is two fields.

        Raises:
            SpilloverError: naming the field, or the column, that is not there.
        """
        if {"alignment", "outcome"} <= set(self.columns):
            raise SpilloverError("A table has scores of alignment or an outcome by itself; map one of the two.")
        names = list(map(str, table.columns))
        found: dict[str, str] = {}
        for key, common in COMMON_NAMES.items():
            if key in self.columns:
                if self.columns[key] not in names:
                    raise SpilloverError(
                        f"{path} has no column '{self.columns[key]}' (for {key}); it has {', '.join(names)}."
                    )
                found[key] = self.columns[key]
            else:
                taken = {*self.columns.values(), *found.values()}
                name = next((places[n] for places in _places(names, key) for n in common if n in places), None)
                if name is not None and name not in taken:
                    found[key] = name
        if "question_id" not in found and "question" in found:
            found["question_id"] = found["question"]
        for key in required:
            if key not in found:
                raise SpilloverError(
                    f"{path} has no column for {key}; add `--map {key}=COLUMN` (columns: {', '.join(names)})."
                )
        return found


def _places(names: list[str], key: str) -> tuple[dict[str, str], ...]:
    """What a field's column may be called to what it is called: as it stands, whole, by its last name; if that is clear."""
    whole = [_small(_said(name) if key in TEXTS else name) for name in names]
    last = [name.rpartition(".")[2] for name in names]
    out = [{name: name for name in names}]
    for called in (whole, last):
        clear = zip(called, names, strict=True)
        out.append({one: name for one, name in clear if called.count(one) == 1 and not _of_a_judge(name, key)})
    return tuple(out)


def _of_a_judge(name: str, key: str) -> bool:
    return key == "model" and _small(name).startswith(GRADERS)


def _small(name: str) -> str:
    """`Question ID`, and `question.id` of nested JSON, as `question_id`."""
    return name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def _said(name: str) -> str:
    """`answer.text` as `answer`."""
    return next((name[: -len(end)] for end in _WORDS if name.lower().endswith(end)), name)
