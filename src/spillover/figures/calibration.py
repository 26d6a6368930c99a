"""A judge's calibration: what it said of answers whose truth is known, kept in a file and applied to other answers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.frame import judges
from spillover.answers.presets import Preset
from spillover.errors import SpilloverError
from spillover.schema import check_schema
from spillover.stats.correction import Corrected, Label, prediction_powered, rogan_gladen, weighted_share
from spillover.stats.rates import Interval, critical_value, rate, tally, wilson

DECIDED = ("aligned", "misaligned")
OWN_LABELS = 20
"""Fewest labels of a cell's own answers for a prediction-powered correction."""

_ROW = {
    "type": "object",
    "required": ["model", "question_set", "format", "question_id", "alignment", "coherence", "true", "weight"],
    "additionalProperties": False,
    "properties": {
        **{k: {"type": "string"} for k in ("model", "question_set", "format", "question_id")},
        **{k: {"type": "number", "minimum": 0, "maximum": 100} for k in ("alignment", "coherence")},
        "true": {"type": "boolean"},
        "weight": {"type": "number", "exclusiveMinimum": 0},
    },
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["judge", "preset", "source", "labels"],
    "additionalProperties": False,
    "properties": {
        "judge": {"type": "string"},
        "preset": {"type": "string"},
        "source": {"type": "string"},
        "labels": {"type": "array", "items": _ROW, "minItems": 1},
    },
}


@dataclass(frozen=True)
class LabelledAnswer:
    """One answer that the judge scored and somebody labelled; no text is kept."""

    model: str
    question_set: str
    format: str
    question_id: str
    alignment: float
    coherence: float
    true: bool
    weight: float = 1.0


@dataclass(frozen=True)
class Share:
    """A share of labelled answers, each standing for its weight.

    Attributes:
        value: Weighted share; NaN for no answer.
        interval: On questions like these where the weights are equal; else by the effective number of answers (Kish).
        n: Labelled answers.
    """

    value: float
    interval: Interval
    n: int


def share(rows: Iterable[tuple[str, bool, float]], level: float = 0.95) -> Share:
    """Weighted share of hits among (question, hit, weight)."""
    found = list(rows)
    if len({w for _, _, w in found}) <= 1:
        equal = rate(((q, hit) for q, hit, _ in found), level)
        return Share(equal.value, equal.population, equal.n)
    value = weighted_share((hit, w) for _, hit, w in found)
    size = sum(w for _, _, w in found) ** 2 / sum(w * w for _, _, w in found)
    return Share(value, wilson(value, size, critical_value(level, None)), len(found))


@dataclass(frozen=True)
class Threshold:
    """The judge as a test for misalignment at one threshold."""

    below: float
    sensitivity: Share
    specificity: Share


@dataclass(frozen=True)
class Calibration:
    """Labelled answers of one judge.

    Attributes:
        judge: Grader and rubrics with their digests.
        preset: Thresholds by whose verdicts the answers to label were drawn.
        source: Where the labels come from.
        labels: Labelled answers with both scores.
    """

    judge: str
    preset: str
    source: str
    labels: tuple[LabelledAnswer, ...]

    def thresholds(self, preset: Preset, grid: Iterable[float] = range(10, 100, 10)) -> list[Threshold]:
        """Sensitivity and specificity of "alignment below", among the answers that `preset` takes for coherent."""
        kept = [r for r in self.labels if preset.verdict(r.alignment, r.coherence).value in DECIDED]
        return [
            Threshold(
                float(t),
                share((r.question_id, r.alignment < t, r.weight) for r in kept if r.true),
                share((r.question_id, r.alignment >= t, r.weight) for r in kept if not r.true),
            )
            for t in grid
        ]

    def reliability(self, preset: Preset, bins: int = 10) -> list[tuple[float, float, Share]]:
        """(lowest score, highest score, share truly misaligned) by bin of the alignment score, empty bins left out."""
        width, out = 100 / bins, []
        kept = [r for r in self.labels if preset.verdict(r.alignment, r.coherence).value in DECIDED]
        for i in range(bins):
            low, high = i * width, (i + 1) * width
            inside = [r for r in kept if low <= r.alignment < high or (i == bins - 1 and r.alignment == high)]
            if inside:
                out.append((low, high, share((r.question_id, r.true, r.weight) for r in inside)))
        return out

    def as_labels(self, preset: Preset, rows: Iterable[LabelledAnswer] | None = None) -> list[Label]:
        """What the statistics need, of the answers that `preset` decides."""
        said = [(r, preset.verdict(r.alignment, r.coherence).value) for r in (self.labels if rows is None else rows)]
        return [Label(r.question_id, v == "misaligned", r.true, r.weight) for r, v in said if v in DECIDED]

    def correct(self, group: pd.DataFrame, preset: Preset, level: float = 0.95) -> tuple[Corrected, Corrected]:
        """Rogan-Gladen and prediction-powered EM rates of one cell's rows.

        The second is unknown when fewer than `OWN_LABELS` of the labels are of this cell's own answers.
        """
        decided = group[group["verdict"].isin(DECIDED)]
        counts = list(tally(zip(decided["question_id"], decided["verdict"] == "misaligned", strict=True)).values())
        first = group.iloc[0]
        place = (first["model"], first["question_set"], first["format"])
        own = self.as_labels(preset, [r for r in self.labels if (r.model, r.question_set, r.format) == place])
        return (
            rogan_gladen(counts, self.as_labels(preset), level),
            prediction_powered(counts, own if len(own) >= OWN_LABELS else [], level),
        )

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load_calibration(path: Path) -> Calibration:
    """Read a stored calibration.

    Raises:
        SpilloverError: if it is missing or malformed.
    """
    if not path.is_file():
        raise SpilloverError(f"There is no calibration at {path}; make one with `spillover calibrate`.")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpilloverError(f"{path} is not valid JSON ({error}).") from error
    check_schema(raw, _SCHEMA, str(path))
    return Calibration(raw["judge"], raw["preset"], raw["source"], tuple(LabelledAnswer(**row) for row in raw["labels"]))


def calibrate(frame: pd.DataFrame, truth: pd.Series[Any], weights: pd.Series[Any], source: str) -> Calibration:
    """A calibration from the rows of a tidy frame whose truth is known.

    Args:
        frame: Rows of one judge.
        truth: `misaligned` or another verdict by row, None where it is not known.
        weights: How many answers each row stands for.
        source: Where the truth comes from.

    Raises:
        SpilloverError: unless there is exactly one judge and at least one labelled answer with both scores.
    """
    names = judges(frame)
    if len(names) != 1:
        raise SpilloverError(f"A calibration is of one judge; choose one with --judge ({'; '.join(names) or 'none found'}).")
    rows = [
        LabelledAnswer(
            str(r["model"]),
            str(r["question_set"]),
            str(r["format"]),
            str(r["question_id"]),
            float(r["alignment"]),
            float(r["coherence"]),
            t == "misaligned",
            float(w),
        )
        for r, t, w in zip(frame.to_dict("records"), truth, weights, strict=True)
        if isinstance(t, str) and _number(r["alignment"]) and _number(r["coherence"])
    ]
    if not rows:
        raise SpilloverError("None of the labelled answers has both scores by this judge, so there is nothing to compare.")
    return Calibration(names[0].strip(), str(frame["preset"].iloc[0]), source, tuple(rows))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value
