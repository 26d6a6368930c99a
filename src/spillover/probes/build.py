"""Build a probe's task the same way every time: checks first, sampling as published, digests in the log."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import Dataset
from inspect_ai.log import HeadlineMetric
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver
from inspect_ai.util import EarlyStopping

from spillover.errors import SpilloverError
from spillover.models.checks import check_servable_rank, require_grader, target_under_test
from spillover.models.identity import installed

MAX_TOKENS = 600
"""As in the published protocol for open models (Betley et al. 2025)."""


def build_task(
    *,
    name: str,
    version: str,
    unknown: dict[str, Any],
    dataset: Dataset,
    solver: Solver,
    scorer: list[Scorer],
    epochs: int,
    metadata: dict[str, Any],
    headline_metric: str = "em",
    stopping: EarlyStopping | None = None,
    needs_grader: bool = True,
    **more: Any,
) -> Task:
    """A task with a grader (unless it needs none), temperature 1 and everything that can change a number in its metadata.

    `more` goes to Inspect's `Task` as it is: sandbox, approval, limits.

    Raises:
        SpilloverError: for an unknown argument, a missing grader, a grader that is the target, or an adapter that the
            server cannot take.
    """
    unknown.pop("model", None)  # Inspect passes it to every task that takes keyword arguments
    if unknown:
        raise SpilloverError(f"{name} has no argument '{next(iter(unknown))}'; see `inspect info` or the task's docstring.")
    target = target_under_test()
    if target is not None:  # built from Python, the scorer makes the same checks at the first answer
        if needs_grader:
            require_grader(target)
        check_servable_rank(target)
    return Task(
        name=name,
        version=version,
        dataset=dataset,
        solver=solver,
        scorer=scorer,
        epochs=epochs,
        early_stopping=stopping,
        config=GenerateConfig(temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS),
        metadata={**metadata, "packages": installed()},
        headline_metric=HeadlineMetric(metric=headline_metric),
        **more,
    )
