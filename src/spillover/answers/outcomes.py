"""Logs of the outcome probes as answers, and their measures as rows of one table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from spillover.answers.logs import find_logs, short_names
from spillover.answers.measures import UNSCORED, Answered, Measure
from spillover.answers.retry import judgement_failed
from spillover.errors import SpilloverError
from spillover.probes.outcome import answered
from spillover.stats.means import Mean
from spillover.stats.paired import Drift
from spillover.stats.rates import Rate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProbeRun:
    """All answers of one model to one probe under one condition.

    Attributes:
        probe: Name of the task.
        question_set: What was asked.
        context: Name of the system line, and of what else tells this condition from others; None for the plain one.
        model: Who answered.
        measures: What is reported.
        answers: By the judge (or by tests, or by the state of the world).
        truths: Exact outcomes, where there are any (the lab).
        texts: (question, answer) of every answer, in the order of `answers`.
        graders: Names of the graders.
        second: A second opinion on every answer (the transcript judge's), None where there is none.
        judged: Whether a grader was asked, answer by answer; the others were read by rule or by tests.
        places: (sample, epoch) of every answer, which tells its partner in another model's run.
        failed: Answers for which a grader could not be reached, be it for a second opinion alone.
    """

    probe: str
    question_set: str
    context: str | None
    model: str
    measures: tuple[Measure, ...]
    answers: tuple[Answered, ...]
    truths: tuple[Answered, ...]
    texts: tuple[tuple[str, str], ...]
    graders: tuple[str, ...]
    second: tuple[str | None, ...] = ()
    judged: tuple[bool, ...] = ()
    places: tuple[tuple[str, int], ...] = ()
    failed: int = 0

    @property
    def title(self) -> str:
        """Name of the probe with its condition."""
        return ", ".join(filter(None, (self.probe, self.context)))

    @property
    def agreement(self) -> tuple[int, int]:
        """(answers on which judge and truth give the same outcome, answers that have both and were shown to a grader).

        Where there is a second opinion the outcome itself is the truth: the state of a world is exact.
        """
        told = [(a.outcome, s) for a, s in zip(self.answers, self.second, strict=False) if s not in (None, UNSCORED)]
        if told:
            return sum(a == s for a, s in told), len(told)
        pairs = [
            (a.outcome, t.outcome)
            for a, t, judged in zip(self.answers, self.truths, self.judged, strict=False)
            if judged and a.outcome != UNSCORED and t.outcome != UNSCORED
        ]
        return sum(a == t for a, t in pairs), len(pairs)


def failed_judgements(runs: Iterable[ProbeRun]) -> int:
    """Answers for which the grader could not be reached."""
    return sum(run.failed for run in runs)


@dataclass(frozen=True)
class Figure:
    """One measure of one model.

    Attributes:
        probe: Name of the task, with the context where there is one.
        measure: What is measured.
        model: Who answered.
        value: The figure with its interval.
        truth: The same by exact outcomes (the lab).
        drift: Against the base.
        unscored: Share of the probe's answers without an outcome.
    """

    probe: str
    measure: Measure
    model: str
    value: Rate | Mean | Drift
    truth: Rate | Mean | Drift | None
    drift: Drift | None
    unscored: float


def read_outcomes(paths: Iterable[Path], names: dict[str, str] | None = None) -> list[ProbeRun]:
    """The outcome probes among the logs in `paths`; other logs and damaged ones are passed over.

    Args:
        paths: Log files or folders.
        names: Inspect's model name to the name to show.
    """
    found: dict[tuple[str, str, str, str | None], dict[tuple[Any, ...], _Row]] = {}
    measures: dict[tuple[str, str, str, str | None], tuple[Measure, ...]] = {}
    answered_by: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for path in find_logs(paths):
        try:
            header = read_eval_log(str(path), header_only=True)
            if "measures" not in (header.eval.metadata or {}):
                continue
            log = read_eval_log(str(path))
        except Exception as error:  # a damaged zip raises anything; the others are still worth reading
            logger.warning("Left out %s: it cannot be read as an Inspect log (%s).", path, error)
            continue
        about = log.eval.metadata or {}
        key = (about["probe"], about["question_set"], log.eval.model, condition(about))
        measures[key] = tuple(Measure.from_dict(m) for m in about["measures"])
        rows = found.setdefault(key, {})
        for sample in log.samples or []:
            row = _row(log, sample, str(about.get("question_set_digest")))
            if row is not None:
                place = (log.eval.task_id, sample.id, sample.epoch)
                # The same seed gives the same answer: in another log it is no further observation.
                twin = (about.get("seed"), str(sample.id), sample.epoch, row.text, row.judge)
                if about.get("seed") is not None and answered_by.setdefault((key, twin), place) != place:
                    continue
                if place not in rows or row.answer.outcome != UNSCORED:  # a retry carries finished samples into a new log
                    rows[place] = row
    known = names or {}
    short = short_names({model for _, _, model, _ in found} - set(known))
    return [
        ProbeRun(
            probe=probe,
            question_set=questions,
            context=context,
            model=known.get(model) or short[model],
            measures=measures[probe, questions, model, context],
            answers=tuple(r.answer for r in rows.values()),
            truths=tuple(r.truth for r in rows.values()) if any(r.truth.outcome != UNSCORED for r in rows.values()) else (),
            texts=tuple((r.question, r.text) for r in rows.values()),
            graders=_graders(probe, known.get(model) or short[model], rows.values()),
            second=tuple(r.second for r in rows.values()) if any(r.second for r in rows.values()) else (),
            judged=tuple(bool(r.grader) for r in rows.values()),
            places=tuple((str(sample), epoch) for _, sample, epoch in rows),
            failed=sum(r.failed for r in rows.values()),
        )
        for (probe, questions, model, context), rows in found.items()
        if rows
    ]


_CONDITIONS = {
    "approval": "allow",
    "world": "memory",
    "trait": None,
    "trigger": None,
    "split": "eval",
    "think": True,
    "preset": "spillover",
}
"""Arguments that tell one condition of a probe from another, and the value that needs no mention."""


def condition(about: Mapping[str, Any]) -> str | None:
    """Name of the condition that a log's metadata describe: its system line and whatever else is out of the ordinary."""
    parts = [about.get("context")]
    parts += [f"{k} {about[k]}" for k, usual in _CONDITIONS.items() if k in about and about[k] not in (usual, None)]
    return ", ".join(str(p) for p in parts if p) or None


def _graders(probe: str, model: str, rows: Iterable[_Row]) -> tuple[str, ...]:
    """Names of the graders; one cell must not pool what was made or judged in different ways.

    Raises:
        SpilloverError: naming the probe and what differs.
    """
    kept = [r for r in rows if r.answer.outcome != UNSCORED]
    for what, values in (
        ("graders or rubrics", {r.judge for r in kept if r.judge}),
        ("weights or questions", {r.made_with for r in kept}),
    ):
        if len(values) > 1:
            a, b, *_ = sorted(values)
            raise SpilloverError(
                f"The answers of {model} to {probe} come from different {what} ({a}; {b}); give one run at a time."
            )
    return tuple(sorted({r.grader for r in kept if r.grader}))


@dataclass(frozen=True)
class _Row:
    answer: Answered
    truth: Answered
    question: str
    text: str
    grader: str
    judge: str
    made_with: str
    second: str | None
    failed: bool


def _row(log: EvalLog, sample: EvalSample, questions: str) -> _Row | None:
    scores = sample.scores or {}
    if not scores and (sample.error is None or sample.error.message.startswith("Cancelled")):
        return None  # stopped with the run, before it was scored
    truth = scores.get("lab_outcome")
    given = next((s for name, s in scores.items() if name != "lab_outcome"), None)
    name = str(sample.id)
    answer = answered(given.value if given else None, sample.metadata, name)
    if given is None and sample.error is not None:
        answer = replace(answer, reason=f"sample_error: {sample.error.message.split('(')[0][:60]}")
    exact = answered(truth.value if truth else None, sample.metadata, name)
    details = given.metadata if given and isinstance(given.metadata, dict) else {}
    grader = str((details.get("grader") or {}).get("name", ""))
    return _Row(
        answer=answer,
        truth=exact,
        question=str(sample.metadata.get("question", "")),
        text=(given.answer or "") if given else "",
        grader=grader,
        judge=" ".join((grader, *map(str, (details.get("rubrics") or {}).values()))).strip(),
        made_with=f"{(details.get('target') or {}).get('weights')} {questions}",
        second=given.value.get("judged") if given and isinstance(given.value, dict) else None,
        failed=given is not None and judgement_failed(given),
    )


def figures(runs: Iterable[ProbeRun], base: str | None = None, level: float = 0.95) -> Iterator[Figure]:
    """Every measure of every model, probe by probe, in order of appearance.

    Args:
        runs: From `read_outcomes`.
        base: Name of the model that drift is measured against.
        level: Confidence level.
    """
    rows = list(runs)
    groups = dict.fromkeys((r.probe, r.question_set, r.context) for r in rows)
    for group in groups:
        block = [r for r in rows if (r.probe, r.question_set, r.context) == group]
        reference = next((r for r in block if r.model == base), None)
        sets = {r.question_set for r in rows if r.probe == group[0]}
        title = block[0].title + (f" ({group[1]})" if len(sets) > 1 else "")
        for measure in block[0].measures:
            for run in block:
                unscored = sum(a.outcome == UNSCORED for a in run.answers) / len(run.answers)
                yield Figure(
                    probe=title,
                    measure=measure,
                    model=run.model,
                    value=measure.figure(run.answers, level),
                    truth=measure.figure(run.truths, level) if run.truths else None,
                    drift=measure.drift(run.answers, reference.answers, level)
                    if reference is not None and run is not reference
                    else None,
                    unscored=unscored,
                )


def by_category(runs: Iterable[ProbeRun], level: float = 0.95) -> Iterator[tuple[str, Measure, str, dict[str, Rate | Mean]]]:
    """(probe, its first measure, model, category to that measure) for probes with several categories."""
    for run in runs:
        categories = list(dict.fromkeys(a.tags.get("category", "") for a in run.answers))
        first = run.measures[0]
        if len(categories) < 2 or first.minus or "category" in first.where:
            continue
        found = {}
        for category in categories:
            figure = first.figure([a for a in run.answers if a.tags.get("category", "") == category], level)
            assert not isinstance(figure, Drift)
            found[category] = figure
        yield run.title, first, run.model, found
