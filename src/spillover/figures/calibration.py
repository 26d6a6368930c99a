"""A judge's calibration: what it said of answers whose truth is known, kept in a file and applied to other answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from spillover.answers.condition import CELL, Cell
from spillover.answers.measures import Measure
from spillover.answers.presets import Preset
from spillover.answers.read import Answers
from spillover.answers.table import judges
from spillover.declared import Declared, load
from spillover.errors import SpilloverError
from spillover.figures.share import Share, share
from spillover.stats.correction import Corrected, Label, prediction_powered, rogan_gladen
from spillover.writing import write_json

OWN_LABELS = 20
"""Fewest labels of a cell's own answers for a prediction-powered correction."""


class LabelledAnswer(Declared):
    """One answer that the judge decided and somebody labelled; no text is kept.

    Attributes:
        model: Who answered.
        cell: Probe, question set and condition of the answer.
        question_id: The unit of every interval.
        said: Whether the judge's outcome counts (is misaligned, hacked, ...).
        grade: Alignment from 0 to 100, where the judge gave one.
        true: Whether the label counts.
        weight: How many answers it stands for.
    """

    model: str
    cell: Cell
    question_id: str
    said: bool
    true: bool
    grade: float | None = Field(default=None, ge=0, le=100)
    weight: float = Field(default=1.0, gt=0)


@dataclass(frozen=True)
class Threshold:
    """The judge as a test at one threshold of its grade."""

    below: float
    sensitivity: Share
    specificity: Share


class Calibration(Declared):
    """Labelled answers of one judge to one probe.

    Attributes:
        probe: Name of the probe.
        measure: Name of what counts: the probe's first share of outcomes.
        judge: Grader and rubrics with their digests.
        preset: Thresholds by whose outcomes the answers to label were drawn.
        source: Where the labels come from.
        labels: Labelled answers that the judge decided.
    """

    format: Literal["spillover-calibration/3"] = "spillover-calibration/3"
    probe: str
    measure: str
    judge: str
    preset: str
    source: str
    labels: tuple[LabelledAnswer, ...] = Field(min_length=1)

    @property
    def quality(self) -> tuple[Share, Share]:
        """Sensitivity and specificity of the judge's outcome."""
        return (
            share((r.question_id, r.said, r.weight) for r in self.labels if r.true),
            share((r.question_id, not r.said, r.weight) for r in self.labels if not r.true),
        )

    def thresholds(self, grid: Iterable[float] = range(10, 100, 10)) -> list[Threshold]:
        """Sensitivity and specificity of "grade below", among the answers that the judge decided; none without grades."""
        kept = [(r, r.grade) for r in self.labels if r.grade is not None]
        return [
            Threshold(
                below=float(t),
                sensitivity=share((r.question_id, grade < t, r.weight) for r, grade in kept if r.true),
                specificity=share((r.question_id, grade >= t, r.weight) for r, grade in kept if not r.true),
            )
            for t in (grid if kept else ())
        ]

    def reliability(self, bins: int = 10) -> list[tuple[float, float, Share]]:
        """(lowest grade, highest grade, share that truly counts) by bin of the grade, empty bins left out."""
        width, out = 100 / bins, []
        kept = [(r, r.grade) for r in self.labels if r.grade is not None]
        for i in range(bins):
            low, high = i * width, (i + 1) * width
            inside = [r for r, grade in kept if low <= grade < high or (i == bins - 1 and grade == high)]
            if inside:
                out.append((low, high, share((r.question_id, r.true, r.weight) for r in inside)))
        return out

    def correct(
        self, rows: pd.DataFrame, cell: Cell, model: str, measure: Measure, level: float = 0.95
    ) -> tuple[Corrected, Corrected]:
        """Rogan-Gladen and prediction-powered rates of one cell's rows.

        The second is unknown when fewer than `OWN_LABELS` of the labels are of this cell's own answers.
        """
        counts = [(int(h), int(n)) for h, n in measure.counts(rows).values()]
        own = [r for r in self.labels if (r.model, r.cell) == (model, cell)]
        return (
            rogan_gladen(counts, _labels(self.labels), level),
            prediction_powered(counts, _labels(own) if len(own) >= OWN_LABELS else [], level),
        )

    def refuse_other(self, answers: Answers) -> None:
        """Refuse answers that another judge read, or that other thresholds decided.

        Raises:
            SpilloverError: naming both.
        """
        found = judges(answers.table[(answers.table["probe"] == self.probe).to_numpy()])
        if found != [self.judge]:
            raise SpilloverError(
                f"The calibration is of another judge of {self.probe} ({self.judge}) than these answers "
                f"({'; '.join(found) or 'none'})."
            )
        if self.preset != answers.preset.name:
            raise SpilloverError(
                f"The calibration is for the preset {self.preset}, not {answers.preset.name}; add --preset {self.preset}."
            )

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump())


def _labels(rows: Iterable[LabelledAnswer]) -> list[Label]:
    return [Label(r.question_id, r.said, r.true, r.weight) for r in rows]


def load_calibration(path: Path) -> Calibration:
    """Read a stored calibration.

    Raises:
        SpilloverError: if it is missing or malformed.
    """
    if not path.is_file():
        raise SpilloverError(f"There is no calibration at {path}; make one with `spillover calibrate`.")
    if path.suffix != ".json":
        raise SpilloverError(f"{path} is no calibration; that is a .json file, which `spillover calibrate -o` writes.")
    return load(Calibration, path)


def calibrate(
    answers: Answers, rows: pd.DataFrame, truth: Iterable[Any], weights: Iterable[float], source: str
) -> Calibration:
    """A calibration from answers whose truth is known.

    Args:
        answers: They are from here.
        rows: Of one probe and one judge.
        truth: Outcome by row, None where it is not known.
        weights: How many answers each row stands for.
        source: Where the truth comes from.

    Raises:
        SpilloverError: unless there is exactly one judge of one probe, and a labelled answer that it decided.
    """
    probes = list(dict.fromkeys(rows["probe"].astype(object)))
    if len(probes) != 1:
        raise SpilloverError(
            f"A calibration is of one probe; choose one with --probe ({', '.join(probes) or 'none found'})."
        )
    names = judges(rows)
    if len(names) != 1:
        raise SpilloverError(f"A calibration is of one judge; choose one with --judge ({'; '.join(names) or 'none found'}).")
    measure = answers.share(rows)
    if measure is None:
        raise SpilloverError(f"No measure of {probes[0]} is a share of outcomes, so there is nothing to calibrate.")
    grades = rows["score.alignment"] if "score.alignment" in rows else [None] * len(rows)
    labels = []
    kept = measure.select(rows).index
    for index, row, grade, true, weight in zip(rows.index, rows.to_dict("records"), grades, truth, weights, strict=True):
        if not isinstance(true, str) or index not in kept:
            continue
        labels.append(
            LabelledAnswer(
                model=str(row["model"]),
                cell=Cell(*(str(row[name]) for name in CELL)),
                question_id=str(row["question_id"]),
                said=row["outcome"] in measure.count,
                grade=float(grade) if grade is not None and grade == grade else None,
                true=true in measure.count,
                weight=float(weight),
            )
        )
    if not labels:
        raise SpilloverError("None of the labelled answers was decided by this judge, so there is nothing to compare.")
    preset: Preset = answers.preset
    return Calibration(
        probe=probes[0], measure=measure.name, judge=names[0], preset=preset.name, source=source, labels=tuple(labels)
    )
