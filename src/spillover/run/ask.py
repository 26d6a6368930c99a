"""Ask every task of every model and judge the answers, as one Inspect eval set that can be killed and goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, redirect_stdout
from pathlib import Path
from typing import Any

from inspect_ai import Task, eval_set
from inspect_ai.log import EvalLog
from inspect_ai.model import Model

from spillover._inspect import PrerequisiteError, keeping_names
from spillover.answers.cast import CAST, Cast
from spillover.answers.certified import CERTIFICATES, certificates_of
from spillover.answers.scrub import scrub
from spillover.errors import SpilloverError
from spillover.logs import read_log
from spillover.run.fingerprint import require_same, unchecked
from spillover.run.progress import counted
from spillover.run.reach import require_reach
from spillover.run.said import Unpraised

TRIED_TOKENS = 128
"""Of an answer, where a few are asked to see whether it works."""
MAX_TASKS = 8
"""At once: with one for each of a hundred models an engine would change adapters with every batch."""
ELSEWHERE = "is not associated with a task"
"""In what Inspect says of a log whose task and model are not among those that are asked."""
Bar = Callable[[str], AbstractContextManager[Callable[[int, int, str], None]]]
"""Makes a progress bar from a title."""


def ask_all(
    tasks: list[Task],
    targets: Sequence[Model],
    grader: Model,
    logs: Path,
    title: str,
    bar: Bar,
    limit: int | None = None,
    cast: Cast | None = None,
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
        cast: Who is who, for the logs.

    Raises:
        KeyboardInterrupt: if Inspect took the Ctrl-C.
        SpilloverError: if a model does not answer at all, if its server has other weights than when these logs were begun,
            or if an evaluation did not finish, with its reason; a second call goes on.
    """
    if not tasks:  # Inspect would take whatever tasks it finds in the current folder
        raise SpilloverError("There is nothing to ask.")
    asked = [*targets, grader]
    to_do = not finished(logs, len(tasks) * len(targets))
    if to_do:
        require_reach(targets, grader, tasks)
        require_same(asked, logs)
    elif unchecked(logs):
        require_same(asked, logs, ends=True)
    for task in tasks:
        known = [c.as_dict() for c in certificates_of((task.metadata or {}).get("rubrics"), grader)]
        more = {CERTIFICATES: known} if known else {}
        task.metadata = {**(task.metadata or {}), **more, **({CAST: cast.as_dict()} if cast else {})}
    set_back(logs)
    try:
        with bar(title) as advance, keeping_names(asked), closing(Unpraised()) as said, redirect_stdout(said):
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
                max_tasks=MAX_TASKS,
                log_realtime=False,
                retry_on_error=2,
                fail_on_error=0.05,  # a few may fail for good; they are counted as unscored with their reason
            )
    except PrerequisiteError as error:
        if ELSEWHERE in str(error.message):  # models are known by their names, and these have the way to the adapters
            raise SpilloverError(
                f"The logs in {logs} were begun in another folder, or adapters were moved since. Run the command where it "
                "was begun, or begin anew with another --out."
            ) from error
        raise
    finally:
        scrub(logs)
    found = statuses(logs)
    if "cancelled" in found:  # Inspect took the Ctrl-C, and calls a cancelled set done
        raise KeyboardInterrupt
    if not done or found != {"success"}:
        raise SpilloverError(f"The evaluation did not finish ({_reason(results)}); run the same command again to go on.")
    if to_do:
        require_same(asked, logs, ends=True)


def finished(logs: Path, count: int) -> bool:
    """Whether so many tasks are done, so that nothing is left to ask."""
    found = _by_task(logs)
    return len(found) >= count and set(found.values()) == {"success"}


def statuses(logs: Path) -> set[str]:
    """Status of every task, as it is on disk: success if one of its logs has it, else that of the newest."""
    return set(_by_task(logs).values())


def _by_task(logs: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _by_time(logs):
        header = read_log(path, header_only=True)
        if found.get(header.eval.task_id) != "success":  # which is never asked again
            found[header.eval.task_id] = header.status
    return found


def _by_time(logs: Path) -> list[Path]:
    """Logs in the order in which they were written last."""
    return sorted(logs.glob("*.eval"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def set_back(logs: Path) -> None:
    """Give logs from the future the present as their time, in the order that they have.

    The clock was ahead when they were written. Inspect takes the log of a task that was written last for its newest, and
    deletes the others: an interrupted one from next month would outlive the finished one of today.
    """
    now = time.time()
    ahead = [path for path in _by_time(logs) if path.stat().st_mtime > now]
    for place, path in enumerate(ahead):
        when = now - 0.001 * (len(ahead) - place)
        os.utime(path, (when, when))


def _reason(results: list[EvalLog]) -> str:
    """The first error, or that it was stopped."""
    errors: list[Any] = [log.error.message for log in results if log.error]
    return str(errors[0]) if errors else "it was interrupted"
