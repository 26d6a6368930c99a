"""Arms of a study on the outcome probes: measures and categories, mean of the training seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.measures import UNSCORED, Answered, Measure
from spillover.answers.outcomes import ProbeRun
from spillover.figures.arms import UNKNOWN, Estimate, two_way
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval


@dataclass(frozen=True)
class ArmMeasure:
    """One measure of a probe over the arms of a study; by ground truth where it is known.

    Attributes:
        probe: Title of the probe.
        measure: What is measured.
        arms: Arm to its estimate.
        answers: Arm to (number of answers, share that the judge left unscored).
    """

    probe: str
    measure: Measure
    arms: dict[str, Estimate]
    answers: dict[str, tuple[int, float]]


def arm_measures(runs: Sequence[ProbeRun], arms: Mapping[str, Sequence[str]]) -> Iterator[ArmMeasure]:
    """Every measure of every probe, arm by arm.

    Args:
        runs: From `read_outcomes`.
        arms: Arm to the names of its models, one for each seed.
    """
    for title, block in _probes(runs).items():
        for measure in block[0].measures:
            found = {arm: _estimate(block, models, measure) for arm, models in arms.items()}
            yield ArmMeasure(title, measure, found, {arm: _answers(block, models) for arm, models in arms.items()})


def arm_categories(
    runs: Sequence[ProbeRun], arms: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, Measure, dict[str, dict[str, Estimate]]]]:
    """(probe, its first measure, arm to category to that measure) of probes with several categories."""
    for title, block in _probes(runs).items():
        first = block[0].measures[0]
        categories = list(dict.fromkeys(a.tags.get("category", "") for r in block for a in r.answers))
        if len(categories) < 2 or "category" in first.where:
            continue
        yield (
            title,
            first,
            {arm: {c: _estimate(block, models, first, c) for c in categories} for arm, models in arms.items()},
        )


def _answers(block: Sequence[ProbeRun], models: Sequence[str]) -> tuple[int, float]:
    outcomes = [a.outcome for run in block if run.model in models for a in run.answers]
    return len(outcomes), outcomes.count(UNSCORED) / len(outcomes) if outcomes else math.nan


def _probes(runs: Sequence[ProbeRun]) -> dict[str, list[ProbeRun]]:
    out: dict[str, list[ProbeRun]] = {}
    for run in runs:
        out.setdefault(f"{run.title} ({run.question_set})", []).append(run)
    return out


def _estimate(block: Sequence[ProbeRun], models: Sequence[str], measure: Measure, category: str | None = None) -> Estimate:
    """Over seeds and questions; for a single model the interval of its own figure."""
    known = {run.model: run for run in block}
    rows = [_of(known[m], category) for m in models if m in known]
    if not rows:
        return UNKNOWN
    if len(rows) == 1:
        found = measure.figure(rows[0])
        limits: Interval = found.interval if isinstance(found, Drift) else found.population
        return Estimate(found.value, limits, (found.value,))
    table = pd.DataFrame([_by_question(measure, answers) for answers in rows]).dropna(axis=1)
    if table.empty:
        return UNKNOWN
    return two_way(table.to_numpy(dtype=float), -1.0 if measure.minus or measure.mean else 0.0)


def _of(run: ProbeRun, category: str | None) -> list[Answered]:
    answers = run.truths or run.answers
    return [a for a in answers if category is None or a.tags.get("category", "") == category]


def _by_question(measure: Measure, answers: Sequence[Answered]) -> dict[str, float]:
    """Question to its rate, lean or gap."""
    cells = {str(q): h / n for q, (h, n) in measure.counts(answers).items()}
    if measure.mean:
        return {q: 2 * share - 1 for q, share in cells.items()}
    if measure.minus:
        other = {str(q): h / n for q, (h, n) in measure.counts(answers, minus=True).items()}
        return {q: share - other[q] for q, share in cells.items() if q in other}
    return cells
