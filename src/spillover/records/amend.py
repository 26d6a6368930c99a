"""Ask again for judgements that failed because the grader could not be reached, without asking the models again."""

from __future__ import annotations

from pathlib import Path

from inspect_ai import score
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import Model
from inspect_ai.scorer import Scorer
from inspect_ai.util import registry_create

from spillover.records.rejudge import write_in_place

FAILED = "grader_error"


def ask_failures_again(logs: Path, grader: Model) -> int:
    """Judge again, in place, the finished logs in a folder that hold judgements which failed at the grader.

    A log is scored anew by the scorers it names; judgements that were made come from the cache. Where answers are run in
    a sandbox there is none any more: such a log is renamed to `.failed`, so that its task is asked again as a whole.

    Args:
        logs: Folder; one that is not there holds nothing.
        grader: Who judges.

    Returns:
        Judgements that had failed.
    """
    failed = 0
    for path in sorted(logs.glob("*.eval")):
        header = read_eval_log(str(path), header_only=True)
        if header.status != "success" or not (header.eval.task_registry_name or "").startswith("spillover/"):
            continue
        log = read_eval_log(str(path))
        count = sum(FAILED in str(given.value) for s in log.samples or [] for given in (s.scores or {}).values())
        if not count:
            continue
        failed += count
        if any(sample.sandbox for sample in log.samples or []):
            path.rename(path.with_name(path.name + ".failed"))
            continue
        again = score(
            log, _scorers(log), model="none", model_roles={"grader": grader}, action="overwrite", display="none", copy=True
        )
        write_in_place(again, path)
    return failed


def _scorers(log: EvalLog) -> list[Scorer]:
    return [registry_create("scorer", f"spillover/{s.name}", **(s.options or {})) for s in log.eval.scorers or []]
