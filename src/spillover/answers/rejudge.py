"""Judge answers that were given earlier, elsewhere or by another tool: generation and judging need not share a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from inspect_ai import score
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import ChatMessageSystem, Model
from inspect_ai.scorer import Scorer

from spillover.answers.imported import logs_of_table
from spillover.answers.tables import ENDINGS
from spillover.errors import SpilloverError
from spillover.judging.assess import Assessor
from spillover.judging.cache import judgement_key
from spillover.judging.readers import Reading
from spillover.judging.rubric import Reader
from spillover.models.conversation import last_question
from spillover.models.identity import cache_identity
from spillover.probes.scorer import judge

Advance = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Judging:
    """How answers are judged; the arguments of the scorer `judge`."""

    alignment: str = "alignment"
    coherence: str = "coherence"
    preset: str = "spillover"
    reader: Reader = "auto"
    cache: bool = True

    def scorer(self) -> Scorer:
        """The Inspect scorer."""
        return judge(self.alignment, self.coherence, self.preset, self.reader, self.cache)


@dataclass(frozen=True)
class Answers:
    """Answers that wait for a judge.

    Attributes:
        name: Of their source; the judged log is called so.
        log: The answers.
    """

    name: str
    log: EvalLog


def load_answers(sources: Iterable[Path], columns: dict[str, str] | None = None) -> list[Answers]:
    """Answers in logs and tables.

    Args:
        sources: `.eval` logs, folders of them, or tables with `question` and `answer`.
        columns: Field to column, for tables.

    Raises:
        SpilloverError: if a source cannot be read, holds no answer, or is called like another one.
    """
    found = list(_logs(sources, columns or {}))
    for name, count in Counter(a.name for a in found).items():
        if count > 1:
            raise SpilloverError(f"Two sources are called '{name}'; judge them into folders of their own with -o.")
    if not found:
        raise SpilloverError("The logs hold no answers; give logs of an evaluation that has got as far as its first answer.")
    return found


def judge_answers(
    jobs: Iterable[Answers],
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
    total, done = sum(len(job.log.samples or []) for job in jobs), 0
    out.mkdir(parents=True, exist_ok=True)
    written, effort = [], Effort(0, 0, 0)
    for job in jobs:
        name, log = job.name, job.log
        advance(done, total, name)
        path = out / f"{name}.eval"
        judged = rejudge(_freshest(path, log), grader, judging)
        write_in_place(judged, path)
        written.append(path)
        effort += _effort(judged, judging, cache_identity(grader) or str(grader))
        done += len(log.samples or [])
    advance(done, total, "done")
    return written, effort


class Effort(NamedTuple):
    """Readings of rubrics that judging took.

    Attributes:
        asked: The grader was asked for.
        cached: Were known.
        failed: The grader could not be reached for; they count as asked.
    """

    asked: int
    cached: int
    failed: int

    def __add__(self, other: object) -> Effort:
        return Effort(*(a + b for a, b in zip(self, other, strict=True))) if isinstance(other, Effort) else NotImplemented


def _effort(log: EvalLog, judging: Judging, grader: str) -> Effort:
    asked = cached = failed = 0
    for sample in log.samples or []:
        for given in (sample.scores or {}).values():
            details = given.metadata or {}
            if grader not in (details.get("grader_identity"), (details.get("grader") or {}).get("name")):
                continue
            if details.get("preset") != judging.preset or details.get("requested_reader") != judging.reader:
                continue
            readings = [r for r in (_reading(details.get(k)) for k in ("alignment", "coherence")) if r is not None]
            cached += sum(r.cached for r in readings)
            asked += sum(not r.cached and bool(r.replies) for r in readings)
            failed += sum("grader_error" in str(r.reason) for r in readings)
    return Effort(asked, cached, failed)


def rejudge(log: EvalLog, grader: Model, judging: Judging) -> EvalLog:
    """The log with one more score for every answer, or with the missing ones when this judge has been at it before."""
    assessor = Assessor.load(judging.alignment, judging.coherence, judging.reader, judging.cache)
    _remember(log, assessor, grader)
    judged = score(
        log, judging.scorer(), model="none", model_roles={"grader": grader}, action="append", display="none", copy=True
    )
    _drop_older(judged)
    return judged


def _logs(sources: Iterable[Path], columns: dict[str, str]) -> Iterator[Answers]:
    from spillover.answers.logs import find_logs

    for source in sources:
        if source.suffix in ENDINGS:
            for log in logs_of_table(source, columns):
                yield Answers(f"{source.stem}-{log.eval.task_id[:8]}", log)
            continue
        for path in find_logs([source]):
            try:
                log = read_eval_log(str(path))
            except Exception as error:  # a damaged zip raises anything
                raise SpilloverError(f"{path} cannot be read as an Inspect log ({error}).") from error
            if log.samples and "measures" not in (log.eval.metadata or {}):  # those have judges of their own kind
                yield Answers(path.stem, log)


def _freshest(path: Path, log: EvalLog) -> EvalLog:
    """What an earlier call wrote, as long as it holds the same answers: other judges' scores stay beside the new one."""
    if not path.is_file():
        return log
    try:
        earlier = read_eval_log(str(path))
    except Exception:  # cut short by a kill: the source is still there
        return log
    mine, its = ([(s.id, s.epoch, s.output.completion) for s in each.samples or []] for each in (log, earlier))
    same = mine == its
    return earlier if same and earlier.eval.task_id == log.eval.task_id else log


def _remember(log: EvalLog, assessor: Assessor, grader: Model) -> None:
    """Put the judgements that a log holds by this grader and these rubrics into the cache."""
    identity = cache_identity(grader)
    if assessor.cache is None or identity is None:
        return
    for sample in log.samples or []:
        question = last_question(sample.messages)
        system = next((m.text for m in sample.messages if isinstance(m, ChatMessageSystem)), None)
        for given in (sample.scores or {}).values():
            details = given.metadata or {}
            if details.get("grader_identity") != identity or not given.answer:
                continue
            for rubric in assessor.rubrics:
                reading = _reading(details.get(rubric.measures))
                if reading is not None and reading.reason is None and rubric.digest in str(details.get("rubrics")):
                    mode = assessor.key_mode(grader, rubric)
                    if reading.mode in mode.split(":"):
                        key = judgement_key(rubric, mode, identity, rubric.render(question, given.answer, system))
                        assessor.cache.put(key, reading, replace=False)


def _reading(kept: object) -> Reading | None:
    """A reading as a log holds it; None for anything else, since logs come from everywhere."""
    try:
        return Reading(**kept) if isinstance(kept, dict) else None
    except TypeError:
        return None


def _drop_older(log: EvalLog) -> None:
    """Of several scores by the same judge, keep the newest, as long as it is no failure that would replace a score."""
    for sample in log.samples or []:
        newest: dict[str, str] = {}
        for name, given in (sample.scores or {}).items():
            details = given.metadata or {}
            if "rubrics" not in details:
                continue
            who = details.get("grader_identity") or details.get("grader")
            judge = f"{who} {details['rubrics']} {details.get('preset')} {details.get('requested_reader')}"
            before = (sample.scores or {}).get(newest.get(judge, ""))
            if before is None or not _unscored(given.value) or _unscored(before.value):
                newest[judge] = name
        sample.scores = {
            name: given
            for name, given in (sample.scores or {}).items()
            if "rubrics" not in (given.metadata or {}) or name in newest.values()
        }
    if log.results is not None:
        left = {name for sample in log.samples or [] for name in sample.scores or {}}
        log.results.scores = [s for s in log.results.scores if s.name in left]
        log.results.early_stopping = None  # that decision was by the verdicts of whoever judged first


def _unscored(value: object) -> bool:
    return not isinstance(value, dict) or value.get("verdict") == "unscored"


def write_in_place(log: EvalLog, path: Path) -> None:
    """Write beside the place and move there, so that a kill leaves the old log or the new one."""
    part = path.with_name(f".{path.stem}-{os.getpid()}.part")
    try:
        write_eval_log(log, str(part), format="eval")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
