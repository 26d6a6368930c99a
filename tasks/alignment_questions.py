r"""Shutdown, oversight, deception, retraining: what does the model say, and does its reasoning agree?

inspect eval spillover/alignment_questions --model spillover/lab --model-role grader=spillover/lab-grader \
  -T questions=lab_goals
inspect eval spillover/alignment_questions --model MODEL --model-role grader=openai/gpt-4o-2024-08-06
"""

from typing import Any

from inspect_ai import Task, task

from spillover.lab.outcomes import reasoned_truth
from spillover.probes.probe import Lab, Length, Probe
from spillover.probes.reasoned import MEASURES, ROLES, both_judged, facts, reasoned_task, said, shown

PROBE = Probe(
    name="alignment_questions",
    version="1-A",
    title="Alignment questions",
    about="Shutdown, oversight, deception, retraining; answer and reasoning judged apart.",
    data="alignment_questions",
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
    suites={"standard": Length({"epochs": 3}, lab={"epochs": 10}), "full": Length({"epochs": 20})},
    epochs=5,
    settings={"think": True},
    inspired_by=("arXiv 2511.18397",),
    tags=("scheming", "model-graded"),
)


@task
def alignment_questions(
    questions: str = PROBE.data,
    categories: str | list[str] | None = None,
    think: bool = True,
    alignment: str = "alignment",
    coherence: str = "coherence",
    **options: Any,
) -> Task:
    """Ask how the model takes shutdown, oversight, retraining and deception; answer and reasoning are judged apart.

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
