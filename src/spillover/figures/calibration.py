"""A judge's calibration: what it said of answers whose truth is known, kept in a file and applied to other answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from spillover.answers.condition import CELL, Cell, with_questions
from spillover.answers.measures import Measure
from spillover.answers.presets import Preset
from spillover.answers.read import Answers
from spillover.answers.table import judges
from spillover.declared import Declared, load
from spillover.errors import SpilloverError
from spillover.figures.share import Share, share
from spillover.stats.correction import Corrected, Label, prediction_powered, rogan_gladen
from spillover.stats.rates import NOTHING, fit, tally
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

        The second is unknown when fewer than `OWN_LABELS` of the labels are of this cell's own answers. The first has no
        interval where the judge's errors hang on the kind of answer and labels are of other kinds, too: what it got right
        of those says too little of these (in simulations such intervals covered 67 to 81 %).
        """
        counts = [(int(h), int(n)) for h, n in measure.counts(rows).values()]
        own = [r for r in self.labels if (r.model, r.cell) == (model, cell)]
        by_error = rogan_gladen(counts, _labels(self.labels), level)
        if self.uneven and len(own) < len(self.labels):
            by_error = replace(by_error, interval=NOTHING)
        return by_error, prediction_powered(counts, _labels(own) if len(own) >= OWN_LABELS else [], level)

    def labels_of(self, model: str, cell: Cell) -> str:
        """Whose answers the labels are of, seen from one model's answers to one cell."""
        kin = {(r.model == model, r.cell == cell) for r in self.labels}
        if (True, True) in kin:
            return "these answers" if len(kin) == 1 else "these and others"
        return "other models" if (False, True) in kin else "other questions"

    @property
    def uneven(self) -> str:
        """Where the judge errs more on one kind of answer than on another by more than chance; empty if it does not.

        Kinds are models and cells. Two differ if their intervals (99 %, for questions like these) do not meet.
        """
        for what, true in (("finds what counts", True), ("clears the rest", False)):
            for kind in ("model", "cell"):
                groups: dict[Any, list[tuple[str, bool]]] = {}
                for r in (r for r in self.labels if r.true is true):
                    groups.setdefault(getattr(r, kind), []).append((r.question_id, r.said is true))
                fits = [
                    (fit(tally(pairs).values()).quantiles(np.array([0.005, 0.995])), name)
                    for name, pairs in groups.items()
                    if len(pairs) >= OWN_LABELS
                ]
                if len(fits) < 2:
                    continue
                worst, best = min(fits, key=lambda f: f[0][1]), max(fits, key=lambda f: f[0][0])
                if worst[0][1] < best[0][0]:
                    named = [
                        with_questions(n.probe, n.question_set) if isinstance(n, Cell) else n for n in (best[1], worst[1])
                    ]
                    return f"it {what} more often of {named[0]} than of {named[1]}"
        return ""

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
