"""Ask every task of every model and judge the answers, as one Inspect eval set that can be killed and goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval_set
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import Model

from spillover.answers.certified import CERTIFICATES, certificates_of
from spillover.errors import SpilloverError
from spillover.run.progress import counted

TRIED_TOKENS = 128
"""Of an answer, where a few are asked to see whether it works."""
Bar = Callable[[str], AbstractContextManager[Callable[[int, int, str], None]]]
"""Makes a progress bar from a title."""


def ask_all(
    tasks: list[Task], targets: Sequence[Model], grader: Model, logs: Path, title: str, bar: Bar, limit: int | None = None
) -> None:
    """Ask and judge what is missing in `logs`.

    Args:
        tasks: What to ask.
        targets: Whom.
        grader: Who judges.
        logs: Folder of the logs; finished ones are not asked again.
        title: Of the progress bar.
        bar: Makes it.
        limit: Samples of each task that are asked, and answered briefly; all for None.

    Raises:
        KeyboardInterrupt: if Inspect took the Ctrl-C.
        SpilloverError: if an evaluation did not finish, with its reason; a second call goes on.
    """
    if not tasks:  # Inspect would take whatever tasks it finds in the current folder
        raise SpilloverError("There is nothing to ask.")
    for task in tasks:
        known = [c.as_dict() for c in certificates_of((task.metadata or {}).get("rubrics"), grader)]
        task.metadata = {**(task.metadata or {}), **({CERTIFICATES: known} if known else {})}
    with bar(title) as advance:
        done, results = eval_set(
            tasks=counted(tasks, len(targets), advance, limit),
            limit=limit,
            max_tokens=None if limit is None else TRIED_TOKENS,
            model=list(targets),
            model_roles={"grader": grader},
            log_dir=str(logs),
            display="none",
            retry_attempts=0,
            retry_immediate=False,
            max_samples=256,
            log_realtime=False,
            retry_on_error=2,
            fail_on_error=0.05,  # a few may fail for good; they are counted as unscored with their reason
        )
    found = statuses(logs)
    if "cancelled" in found:  # Inspect took the Ctrl-C, and calls a cancelled set done
        raise KeyboardInterrupt
    if not done or found != {"success"}:
        raise SpilloverError(f"The evaluation did not finish ({_reason(results)}); run the same command again to go on.")


def statuses(logs: Path) -> set[str]:
    """Status of every task, as it is on disk: success if one of its logs has it, else that of the newest."""
    found: dict[str, str] = {}
    for path in sorted(logs.glob("*.eval")):  # names begin with the time, in seconds: two of one second are in no order
        header = read_eval_log(str(path), header_only=True)
        if found.get(header.eval.task_id) != "success":  # which is never asked again
            found[header.eval.task_id] = header.status
    return set(found.values())


def _reason(results: list[EvalLog]) -> str:
    """The first error, or that it was stopped."""
    errors: list[Any] = [log.error.message for log in results if log.error]
    return str(errors[0]) if errors else "it was interrupted"
