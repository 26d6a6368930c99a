"""Ask again for judgements that failed because the grader could not be reached, without asking the models again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from inspect_ai import score
from inspect_ai.log import EvalLog, EvalSample, recompute_metrics
from inspect_ai.model import Model
from inspect_ai.scorer import Score, Scorer
from inspect_ai.util import registry_create

from spillover.answers.answer_rows import UNREACHED
from spillover.answers.files import is_ours
from spillover.answers.rejudge import with_what_is_known, write_in_place
from spillover.logs import read_log


def judgement_failed(given: Score) -> bool:
    """Whether a grader could not be reached for a score, or for a part of it such as a second opinion."""
    return UNREACHED in str(given.value) or UNREACHED in str((given.metadata or {}).get("readings"))


def ask_failures_again(logs: Path, grader: Model, before: Callable[[], object] = lambda: None) -> int:
    """Judge again, in place, what failed at the grader in the finished logs of a folder.

    The answers concerned, and no others, are scored anew by the scorers that their log names; a score is replaced by a
    better one only. What a sandbox found out is kept, since the sandbox is gone.

    Args:
        logs: Folder; one that is not there holds nothing.
        grader: Who judges.
        before: Called before the first one is judged again, if any.

    Returns:
        Judgements that had failed.
    """
    failed = 0
    for path in sorted(logs.glob("*.eval")):
        header = read_log(path, header_only=True)
        if header.status != "success" or not is_ours(header):
            continue
        log = read_log(path)
        broken = [s for s in log.samples or [] if not s.error and any(map(judgement_failed, (s.scores or {}).values()))]
        if broken:
            if not failed:
                before()
            failed += len(broken)
            _amend(log, broken, grader)
            write_in_place(log, path)
    return failed


def _amend(log: EvalLog, broken: list[EvalSample], grader: Model) -> None:
    scorers: list[Scorer] = [
        registry_create("scorer", f"spillover/{s.name}", **(s.options or {})) for s in log.eval.scorers or []
    ]
    part = log.model_copy(update={"samples": [with_what_is_known(sample) for sample in broken]})
    part = score(part, scorers, model="none", model_roles={"grader": grader}, action="overwrite", display="none", copy=True)
    found = {(s.id, s.epoch): s.scores or {} for s in part.samples or []}
    for sample in log.samples or []:
        new = found.get((sample.id, sample.epoch), {})
        for name, given in (sample.scores or {}).items():
            if sample.scores and judgement_failed(given) and name in new and not judgement_failed(new[name]):
                sample.scores[name] = new[name]
    recompute_metrics(log)
