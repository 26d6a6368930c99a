"""Ask one model one block of a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model

from spillover.errors import SpilloverError
from spillover.run.aside import put_aside, put_damaged_aside
from spillover.screening.answers import Answers, read_block
from spillover.screening.config import Settings
from spillover.screening.gate import Gated, block_task

Ask = Callable[[list[Task], Model, Model, Path, str], None]
"""Asks and judges what is missing: tasks, target, grader, folder of the logs, title."""


def ask_block(
    ask: Ask,
    model: Model,
    grader: Model,
    logs: Path,
    side: str,
    block: int,
    gated: Sequence[Gated],
    rounds: dict[str, int],
    settings: Settings,
) -> dict[str, Answers]:
    """Ask one model one block of every probe, as far as it is not asked yet, and read the answers.

    Raises:
        SpilloverError: if the evaluation did not finish, or so many judgements failed that it must be asked again: its logs
            are put aside, and the same command asks it anew (judgements that were made are kept).
    """
    folder = logs / f"block-{block:02d}" / side
    folder.mkdir(parents=True, exist_ok=True)
    put_damaged_aside(folder)
    arguments = {"sandbox": settings.sandbox, "preset": settings.preset}
    tasks = [block_task(g, settings.lab, settings.seed, block, rounds[g.name], **arguments) for g in gated]
    answers = sum(rounds[g.name] * g.questions for g in gated)
    ask(tasks, model, grader, folder, f"block {block + 1}, {side}: {answers} answers")
    found = read_block(folder, block, gated)
    failed = sum("grader_error" in (g.reason or "") for given in found.values() for g in given.values())
    if failed > settings.max_unscored * answers:
        aside = put_aside(folder)
        raise SpilloverError(f"The grader could not be reached for {failed} of {answers} answers (logs: {aside}).")
    return found
