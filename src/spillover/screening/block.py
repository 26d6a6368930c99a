"""Ask one model one block of a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import Model

from spillover.answers.answer_rows import UNREACHED
from spillover.answers.retry import ask_failures_again
from spillover.errors import SpilloverError
from spillover.run.plan import Step, digest
from spillover.run.set_aside import put_aside, put_damaged_aside
from spillover.screening.answers import Answers, read_block
from spillover.screening.config import Settings
from spillover.screening.gate import Gated, block_spec

Ask = Callable[[list[Task], Model, Model, Path, str], None]
"""Asks and judges what is missing: tasks, target, grader, folder of the logs, title."""


def block_steps(
    screen: str, block: int, rounds: dict[str, int], gated: Sequence[Gated], sides: Sequence[str], seed: int
) -> list[Step]:
    """The steps of one block: one for each side that is asked.

    Args:
        screen: Digest of the screen.
        block: Its index.
        rounds: Probe to rounds.
        gated: Probes of the screen.
        sides: Who is asked.
        seed: Of the screen.
    """
    asked = [g for g in gated if g.name in rounds]
    specs = [block_spec(g, seed, block, rounds[g.name]).model_dump() for g in asked]
    return [
        Step(
            kind="ask",
            name=f"block {block + 1}, {side}",
            key=digest(screen, block, side, rounds),
            spec={"block": block, "side": side, "rounds": rounds, "tasks": specs},
        )
        for side in sides
    ]


def ask_block(
    ask: Ask, model: Model, grader: Model, logs: Path, step: Step, gated: Sequence[Gated], settings: Settings
) -> dict[str, Answers]:
    """Ask one model one block of every probe, as far as it is not asked yet, and read the answers.

    Raises:
        SpilloverError: if the evaluation did not finish, or so many judgements failed that it must be asked again: its logs
            are put aside, and the same command asks it anew (judgements that were made are kept).
    """
    block, rounds = step.spec["block"], step.spec["rounds"]
    folder = logs / f"block-{block:02d}" / step.spec["side"]
    folder.mkdir(parents=True, exist_ok=True)
    put_damaged_aside(folder)
    asked = [g for g in gated if g.name in rounds]
    tasks = [block_spec(g, settings.seed, block, rounds[g.name]).build() for g in asked]
    answers = sum(rounds[g.name] * g.questions for g in asked)
    ask(tasks, model, grader, folder, f"{step.name}: {answers} answers")
    found = read_block(folder, block, asked)
    if _unreached(found, settings) and ask_failures_again(folder, grader):
        found = read_block(folder, block, asked)
    for probe in asked:
        there, due = len(found.get(probe.name, {})), rounds[probe.name] * probe.questions
        if there != due:
            aside = put_aside(folder)
            raise SpilloverError(f"The logs hold {there} of {due} answers to {probe.name} (logs: {aside}).")
    failed = _unreached(found, settings)
    if failed:
        aside = put_aside(folder)
        raise SpilloverError(
            f"The grader gave no reply to {failed[1]} of {failed[2]} answers to {failed[0]} (logs: {aside})."
        )
    return found


def _unreached(found: dict[str, Answers], settings: Settings) -> tuple[str, int, int] | None:
    """The first probe that has more failed judgements than may be unscored: name, failures, answers."""
    for name, given in found.items():
        failed = sum(UNREACHED in (g.reason or "") for g in given.values())
        if failed > settings.max_unscored * len(given):
            return name, failed, len(given)
    return None
