"""Ask models something beside a run: inside Inspect, since that is where a model's client lives, and without a log."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver


def in_inspect(work: Callable[[], Awaitable[None]], name: str = "first_call") -> EvalLog:
    """Await `work()` as the only sample of an evaluation that keeps no log.

    Raises:
        KeyboardInterrupt: if Inspect took the Ctrl-C.
    """
    task = Task(dataset=[Sample(input=name)], solver=_await(work), name=name)
    with tempfile.TemporaryDirectory() as folder:
        (log,) = inspect_eval(
            task,
            model=get_model("none/none"),
            log_dir=folder,
            display="none",
            log_realtime=False,
            log_samples=False,
            retry_on_error=0,
        )
    if log.status == "cancelled":
        raise KeyboardInterrupt
    return log


@solver
def _await(work: Callable[[], Awaitable[None]]) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        await work()
        return state

    return solve
