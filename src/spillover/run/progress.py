"""Progress of an evaluation as one bar; Inspect's own display shows one panel per task and model."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from inspect_ai import Task, task_with
from inspect_ai.hooks import Hooks, ModelUsageData, hooks
from inspect_ai.solver import TaskState


class Calls(Hooks):
    """Calls of this process that told their usage, and their tokens; answers from a cache are none."""

    made = tokens = 0

    async def on_model_usage(self, data: ModelUsageData) -> None:
        """One call."""
        self.made += 1
        self.tokens += data.usage.total_tokens

    def since(self, made: int, tokens: int) -> str:
        """`1,234 calls, 1.2 M tokens`."""
        more = self.tokens - tokens
        size, unit = (10**6, "M") if more >= 10**6 else (10**3, "k")
        return f"{self.made - made:,} calls, {more / size:.1f} {unit} tokens"


@cache
def _calls() -> Calls:
    """Registered once, and late: Inspect tells of all hooks that it knows when the first model is opened."""
    kept: list[Calls] = []

    class Kept(Calls):
        def __init__(self) -> None:
            kept.append(self)

    hooks(name="spillover_calls", description="Counts calls for the progress bar.")(Kept)
    return kept[0]


def counted(
    tasks: list[Task], models: int, advance: Callable[[int, int, str], None], limit: int | None = None
) -> list[Task]:
    """The same tasks, which call `advance(done, total, note)` after every answer of `models` models, which are open.

    Of each task `limit` samples are asked, all for None. An answer that is asked for again after an error counts once.
    """
    total = sum(len(task.dataset[:limit]) * (task.epochs or 1) for task in tasks) * models
    done = set[tuple[int, str, int | str, int]]()
    calls = _calls()
    before = calls.made, calls.tokens

    def counting(number: int, task: Task) -> Task:
        own = task.cleanup

        async def one_more(state: TaskState) -> None:
            done.add((number, str(state.model), state.sample_id, state.epoch))
            advance(len(done), total, f"answers, {calls.since(*before)}")
            if own is not None:
                await own(state)

        return task_with(task, cleanup=one_more)

    return [counting(number, task) for number, task in enumerate(tasks)]
