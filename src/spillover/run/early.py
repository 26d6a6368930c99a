"""What can be said of a study's judge before hours are spent on training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model, get_model

from spillover.errors import SpilloverError
from spillover.judging.rubric import load_rubric
from spillover.run.ask import finished
from spillover.run.check import names_in
from spillover.run.reach import require_reach
from spillover.serving.serve import is_checkpoint

LOCAL = ("vllm", "sglang", "hf", "llama-cpp-python", "transformer_lens")
"""Providers that load a model as soon as they are named: not while a GPU is needed for training."""


def require_rubrics(grader: Model, named: Iterable[Mapping[str, str]]) -> None:
    """Refuse rubrics that a judge of one's own was not trained for.

    Args:
        grader: Who judges; models that read any rubric are left alone.
        named: Role to rubric of each task.

    Raises:
        SpilloverError: naming the rubrics.
    """
    reads = getattr(grader.api, "reads", None)
    strange = {name for names in named for name in names.values() if not reads(load_rubric(name))} if reads else set()
    if strange:
        raise SpilloverError(
            f"{grader} was not trained for the rubrics {', '.join(sorted(strange))}: leave out the probes that are judged "
            "by them (`run --skip TASK:QUESTIONS`), or take another grader."
        )


def require_judge(
    grader: str, tasks: list[Task], logs: Path, models: int, check: Callable[[list[Task], Model], None]
) -> bool:
    """Ask the judge before anything is trained for it; nothing where all is judged, or where it is to be served here.

    Args:
        grader: Checkpoint or Inspect's name.
        tasks: What it is to judge.
        logs: Where that goes.
        models: How many are asked at least.
        check: What measures it on known answers.

    Returns:
        Whether it was asked.

    Raises:
        SpilloverError: if it does not answer, or was not trained for a rubric.
    """
    if is_checkpoint(grader) or grader.partition("/")[0] in LOCAL or finished(logs, len(tasks) * models):
        return False
    judge = get_model(grader)
    require_rubrics(judge, names_in(tasks))
    require_reach([], judge, tasks)
    check(tasks, judge)
    if hasattr(judge.api, "judged"):  # one's own is loaded here, and would hold memory that training needs
        judge.api.close()
    return True
