"""Judge answers that were given earlier, elsewhere or by another tool: generation and judging need not share a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inspect_ai import score
from inspect_ai.log import EvalLog, EvalSample, write_eval_log
from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer
from inspect_ai.util import registry_create

from spillover.answers.certified import certificates_of, metadata_with
from spillover.answers.effort import Effort, effort_of
from spillover.answers.files import find, is_ours
from spillover.answers.imported import logs_of_table
from spillover.answers.layout import Layout
from spillover.answers.measures import UNSCORED
from spillover.answers.rules import rubrics_of
from spillover.answers.scrub import scrub_file
from spillover.errors import SpilloverError
from spillover.judging.rubric import Reader, load_rubric
from spillover.logs import read_log
from spillover.models.identity import EARLIER, TARGET, cache_identity

Advance = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Judging:
    """How answers are judged, besides what their probe says; see the scorer `judge`."""

    rubrics: Mapping[str, str] = field(default_factory=dict)
    preset: str = "spillover"
    reader: Reader = "auto"
    cache: bool = True

    def roles(self, log: EvalLog) -> dict[str, str]:
        """Role to rubric of a log's probe: those that the log was judged by, and those that replace them.

        Raises:
            SpilloverError: for a role that the probe does not have.
        """
        probe = str((log.eval.metadata or {})["probe"])
        before = next((dict(s.options or {}) for s in log.eval.scorers or [] if s.name.endswith("judge")), {})
        roles = before.get("rubrics") or rubrics_of(probe)
        for role in self.rubrics:
            if role not in roles:
                raise SpilloverError(f"{probe} has no rubric for '{role}'; it has {', '.join(roles) or 'none'}.")
        return {**roles, **self.rubrics}

    def scorer(self, log: EvalLog) -> Scorer:
        """The judge of a log's probe.

        Raises:
            SpilloverError: for a role that the probe does not have.
        """
        probe = str((log.eval.metadata or {})["probe"])
        options = {"preset": self.preset, "reader": self.reader, "cache": self.cache}
        made: Scorer = registry_create("scorer", "spillover/judge", probe=probe, rubrics=self.roles(log), **options)
        return made


@dataclass(frozen=True)
class Job:
    """Answers that wait for a judge.

    Attributes:
        name: Of their source; the judged log is called so.
        log: The answers.
        path: Of the log that they are in.
    """

    name: str
    log: EvalLog
    path: Path | None = None


def load_answers(sources: Iterable[Path], layout: Layout | None = None, limit: int | None = None) -> list[Job]:
    """Answers in logs and tables.

    Args:
        sources: Logs, folders of them, or tables with `question` and `answer`.
        layout: What the columns of tables mean.
        limit: Most answers of each log, and of each model in a table: one of every question before the second of any.

    Raises:
        SpilloverError: if a source cannot be read, holds no answer, or is called like another one.
    """
    logs, tables = find(list(sources))
    found = [*_logs(logs)]
    for table in tables:
        found += [Job(f"{table.stem}-{log.eval.task_id[:8]}", log) for log in logs_of_table(table, layout or Layout())]
    for name, count in Counter(job.name for job in found).items():
        if count > 1:
            raise SpilloverError(f"Two sources are called '{name}'; judge them into folders of their own with -o.")
    if not found:
        raise SpilloverError("The logs hold no answers; give logs of an evaluation that has got as far as its first answer.")
    return found if limit is None else [_some(job, limit) for job in found]


def _some(job: Job, limit: int) -> Job:
    """A job of so many answers, one of every question before the second of any, in their order."""
    samples = job.log.samples or []
    turns: Counter[str] = Counter()
    turn: dict[int, tuple[int, int]] = {}
    for place, sample in enumerate(samples):
        question = str((sample.metadata or {}).get("question_id", sample.id))
        if sample.error is None:
            turn[place] = (turns[question], place)
            turns[question] += 1
    if len(turn) <= limit:
        return job
    kept = sorted(sorted(turn, key=turn.__getitem__)[:limit])
    return replace(job, log=job.log.model_copy(update={"samples": [samples[place] for place in kept]}))


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _logs(paths: Iterable[Path]) -> Iterator[Job]:
    for path in paths:
        try:
            log = read_log(path)
        except Exception as error:  # a damaged zip raises anything
            raise SpilloverError(f"{path} cannot be read as an Inspect log ({error}).") from error
        imported = (log.eval.metadata or {}).get("probe") == "imported"
        answered = any(s.error is None for s in log.samples or [])
        if answered and is_ours(log) and (imported or any(s.name.endswith("judge") for s in log.eval.scorers or [])):
            yield Job(path.stem, log, path)


def judge_answers(
    jobs: Iterable[Job],
    out: Path,
    grader: Model,
    judging: Judging,
    advance: Advance = lambda done, total, note: None,
) -> tuple[list[Path], Effort]:
    """Judge every answer; write one log for each source into `out`, the sources stay as they were.

    Judgements that the logs already hold for this rubric and grader, and all that were ever kept in the cache, are not
    asked again. So a second call after an interruption asks only what is missing.

    Args:
        jobs: What to judge.
        out: Folder for the judged logs.
        grader: Who judges.
        judging: Rubrics, preset and reader.
        advance: Told (answers judged, all answers, name of the log).

    Raises:
        SpilloverError: if the grader is the model that gave the answers.
    """
    jobs = list(jobs)
    apart = [job for job in jobs if job.path is not None and _inside(job.path, out) and job.path.parent != out.resolve()]
    if apart:
        raise SpilloverError(
            f"{out} holds the logs that are to be judged ({apart[0].path}); judge them into another folder with -o."
        )
    scorers = [judging.scorer(job.log) for job in jobs]  # a wrong role or preset ends it before the first call
    total, done = sum(len(job.log.samples or []) for job in jobs), 0
    out.mkdir(parents=True, exist_ok=True)
    written, effort = [], Effort(0, 0, 0)
    for job, scorer in zip(jobs, scorers, strict=True):
        advance(done, total, job.name)
        path = out / f"{job.name}.eval"
        judged = rejudge(_freshest(path, job.log), grader, scorer)
        known = certificates_of({role: load_rubric(n).digest for role, n in judging.roles(job.log).items()}, grader)
        judged.eval.metadata = metadata_with(judged.eval.metadata, known)
        write_in_place(judged, path)
        scrub_file(path)
        written.append(path)
        effort += effort_of(judged, cache_identity(grader) or str(grader))
        done += len(job.log.samples or [])
    advance(done, total, "done")
    return written, effort


def rejudge(log: EvalLog, grader: Model, scorer: Scorer) -> EvalLog:
    """The log with one more score for every answer, or with the missing ones when this judge has been at it before.

    A sample that failed or was cancelled has no answer to judge; it stays as it is.
    """
    answered = [s for s in log.samples or [] if s.error is None]
    part = log.model_copy(update={"samples": [with_what_is_known(s) for s in answered]})
    # The log's own measures: the task that it is of names one of them as its headline.
    metrics = [registry_create("metric", "spillover/measures", specs=list((log.eval.metadata or {}).get("measures") or []))]
    how: dict[str, Any] = {"action": "append", "display": "none", "copy": True, "metrics": metrics}
    judged = score(part, scorer, model="none", model_roles={"grader": grader}, **how)
    for sample, before in zip(judged.samples or [], answered, strict=True):
        sample.metadata = before.metadata
    _drop_older(judged)
    scored = {(s.id, s.epoch): s for s in judged.samples or []}
    judged.samples = [scored.get((s.id, s.epoch), s) for s in log.samples or []]
    return judged


def with_what_is_known(sample: EvalSample) -> EvalSample:
    """A sample whose metadata tell a scorer who answered, and what earlier judgements read and found out.

    A scorer alone would take the model that it runs under for the one that answered; facts come from a sandbox or a world
    that may be gone; and what a judge said already need not be asked again.
    """
    known = [score.metadata for score in (sample.scores or {}).values() if score.metadata]
    target = next((details["target"] for details in known if details.get("target")), None)
    more: dict[str, Any] = {EARLIER: [_own(details) for details in known if "readings" in details]}
    return sample.model_copy(update={"metadata": {**sample.metadata, **more, **({TARGET: target} if target else {})}})


def _own(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: details.get(key) for key in ("grader_identity", "rubrics", "readings", "facts")}


def _freshest(path: Path, log: EvalLog) -> EvalLog:
    """What an earlier call wrote, as long as it holds the same answers: other judges' scores stay beside the new one."""
    if not path.is_file():
        return log
    try:
        earlier = read_log(path)
    except Exception:  # cut short by a kill: the source is still there
        return log
    mine, its = ([(s.id, s.epoch, s.output.completion) for s in each.samples or []] for each in (log, earlier))
    same = mine == its
    return earlier if same and earlier.eval.task_id == log.eval.task_id else log


def _drop_older(log: EvalLog) -> None:
    """Of several scores by the same judge, keep the newest, as long as it is no failure that would replace a score."""
    for sample in log.samples or []:
        newest: dict[str, str] = {}
        for name, given in (sample.scores or {}).items():
            details = given.metadata or {}
            if "readings" not in details:
                continue
            who = details.get("grader_identity") or details.get("grader")
            judge = f"{who} {details['rubrics']}"
            before = (sample.scores or {}).get(newest.get(judge, ""))
            if before is None or not _unscored(given) or _unscored(before):
                newest[judge] = name
        sample.scores = {
            name: given
            for name, given in (sample.scores or {}).items()
            if "readings" not in (given.metadata or {}) or name in newest.values()
        }
    if log.results is not None:
        left = {name for sample in log.samples or [] for name in sample.scores or {}}
        log.results.scores = [s for s in log.results.scores if s.name in left]
        log.results.early_stopping = None  # that decision was by the outcomes of whoever judged first


def _unscored(given: Score) -> bool:
    return not isinstance(given.value, dict) or given.value.get("outcome") == UNSCORED


def write_in_place(log: EvalLog, path: Path) -> None:
    """Write beside the place and move there, so that a kill leaves the old log or the new one."""
    part = path.with_name(f".{path.stem}-{os.getpid()}.part")
    try:
        write_eval_log(log, str(part), format="eval")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
