"""Progress of an evaluation as one bar; Inspect's own display shows one panel per task and model."""

from __future__ import annotations

from collections.abc import Callable

from inspect_ai import Task, task_with
from inspect_ai.solver import TaskState


def counted(
    tasks: list[Task], models: int, advance: Callable[[int, int, str], None], limit: int | None = None
) -> list[Task]:
    """The same tasks, which call `advance(done, total, "answers")` after every answer of `models` models.

    Of each task `limit` samples are asked, all for None.
    """
    total = sum(len(task.dataset[:limit]) * (task.epochs or 1) for task in tasks) * models
    done = 0

    def counting(task: Task) -> Task:
        own = task.cleanup

        async def one_more(state: TaskState) -> None:
            nonlocal done
            done += 1
            advance(done, total, "answers")
            if own is not None:
                await own(state)

        return task_with(task, cleanup=one_more)

    return [counting(task) for task in tasks]
