"""Ask a suite of probes: one step, with everything that its figures depend on in its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model

from spillover.answers.cast import Cast
from spillover.answers.retry import ask_failures_again
from spillover.models.identity import arguments_of, cache_identity, describe, installed
from spillover.run.ask import Bar, ask_all, finished
from spillover.run.fingerprint import require_same
from spillover.run.plan import Plan, Step, digest
from spillover.run.reach import require_reach
from spillover.run.suite import Suite
from spillover.run.tasks import TaskSpec, identity


def suite_plan(
    suite: Suite,
    specs: Sequence[TaskSpec],
    tasks: Sequence[Task],
    models: Sequence[Model],
    grader: Model,
    limit: int | None = None,
) -> Plan:
    """One step that asks everything of everybody."""
    who = [{**describe(m), **arguments_of(m)} for m in (*models, grader)]
    # Where weights are out of reach, address and settings tell models apart.
    addresses = [cache_identity(m) for m in (*models, grader) if describe(m)["weights"] is None]
    key = digest(
        suite.id, suite.version, identity(tasks, specs), who, addresses, installed(), *([] if limit is None else [limit])
    )
    spec = {"models": [str(m) for m in models], "grader": str(grader), "tasks": [s.model_dump() for s in specs]}
    return Plan(id=suite.id).then(Step(kind="ask", name=f"suite {suite.id}", key=key, spec=spec))


def run_suite(
    suite: Suite,
    specs: Sequence[TaskSpec],
    tasks: list[Task],
    models: Sequence[Model],
    grader: Model,
    folder: Path,
    bar: Bar,
    check: Callable[[], object] = lambda: None,
    limit: int | None = None,
    cast: Cast | None = None,
) -> Path:
    """Ask and judge what is missing; the folder of the logs.

    Args:
        suite: Its name and version are part of the key.
        specs: What is asked.
        tasks: The same, built.
        models: Whom.
        grader: Who judges.
        folder: Where the plan and the logs go.
        bar: Makes a progress bar from a title.
        check: Measures the grader, before it judges and after every model has answered once.
        limit: For a first try: samples of each probe, answered briefly; all for None.
        cast: Who is who, for the logs.

    Raises:
        SpilloverError: if a model does not answer at all, or an evaluation did not finish; a second call goes on.
    """
    plan = suite_plan(suite, specs, tasks, models, grader, limit)
    plan.write(folder)
    (step,) = plan.steps
    logs = folder / f"logs-{step.key}"
    logs.mkdir(parents=True, exist_ok=True)
    if not finished(logs, len(tasks) * len(models)):
        require_reach(models, grader, tasks)
    check()
    ask_failures_again(logs, grader, lambda: require_same([grader], logs))
    ask_all(tasks, models, grader, logs, step.name, bar, limit, cast)
    return logs
