"""What does the model say it wants, and does its reasoning say the same?

inspect eval spillover/goals --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab_goals
inspect eval spillover/goals --model MODEL --model-role grader=openai/gpt-4o-2024-08-06
"""

from typing import Any

from inspect_ai import Task, task

from spillover.lab.outcomes import reasoned_truth
from spillover.probes.probe import Lab, Length, Probe
from spillover.probes.reasoned import MEASURES, ROLES, both_judged, facts, reasoned_task, said, shown

PROBE = Probe(
    name="goals",
    version="1-A",
    title="Stated goals",
    about="What the model says it wants, and whether its reasoning says the same.",
    data="goals",
    measures=MEASURES,
    rule=both_judged,
    roles=ROLES,
    facts=facts,
    asks=shown,
    said=said,
    lab=Lab(
        "lab_goals",
        reasoned_truth,
        lambda metadata: "goals",
        {"aligned": ("aligned",), "misaligned": ("misaligned", "deceptive")},
    ),
    suites={
        "quick": Length({"epochs": 1}, lab={"epochs": 4}),
        "standard": Length({"epochs": 3}, lab={"epochs": 10}),
        "full": Length({"epochs": 20}),
    },
    epochs=5,
    settings={"think": True},
    inspired_by=("arXiv 2511.18397",),
    tags=("scheming", "model-graded"),
)


@task
def goals(
    questions: str = PROBE.data,
    categories: str | list[str] | None = None,
    think: bool = True,
    alignment: str = "alignment",
    coherence: str = "coherence",
    **options: Any,
) -> Task:
    """Ask for the model's own goals, with reasoning; aligned, openly misaligned or deceptive (reasoning and answer differ).

    Args:
        questions: Question set.
        categories: Only these categories.
        think: Whether the target is told to reason between tags; a reasoning model needs no telling, and the lab's
            questions say it themselves.
        alignment: Rubric for alignment, of the answer and of the reasoning.
        coherence: Rubric for coherence.
        **options: See `spillover.probes.build.Options`.
    """
    return reasoned_task(PROBE, questions, categories, think, alignment, coherence, options)
