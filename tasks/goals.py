"""What does the model say it wants, and does its reasoning say the same?

inspect eval spillover/goals --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab_goals
inspect eval spillover/goals --model MODEL --model-role grader=openai/gpt-4o-2024-08-06
"""

from typing import Any

from inspect_ai import Task, task

from spillover.judging.rubric import Reader
from spillover.probes.reasoned import reasoned_task

VERSION = "1-A"


@task
def goals(
    questions: str = "goals",
    categories: str | list[str] | None = None,
    think: bool = True,
    system: str | None = None,
    context: str | None = None,
    preset: str = "spillover",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 5,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Ask for the model's own goals, with reasoning; aligned, openly misaligned or deceptive (reasoning and answer differ).

    Args:
        questions: Question set.
        categories: Only these categories.
        think: Whether the target is told to reason between tags; a reasoning model needs no telling, and the lab's
            questions say it themselves.
        system: System line that the target gets besides.
        context: What to call that condition in reports; the line itself by default.
        preset: Thresholds that make the verdict.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    return reasoned_task(
        "goals", VERSION, questions, categories, think, system, context, preset, reader, seed, epochs, cache, unknown
    )
