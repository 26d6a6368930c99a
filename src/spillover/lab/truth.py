"""Ground truth as a scorer: the exact label of every answer to a lab question, no judge involved."""

from __future__ import annotations

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from spillover.lab.labels import label
from spillover.models.conversation import last_question
from spillover.models.reasoning import strip_reasoning
from spillover.probes.metrics import em_rate


@scorer(metrics=[em_rate()], name="lab_truth")
def lab_truth() -> Scorer:
    """Label answers by the lab's grammar. Measures the lab only; it says nothing about real models."""

    async def score(state: TaskState, target: Target) -> Score:
        answer = strip_reasoning(state.output.completion)
        question = last_question(state.messages, state.input_text)
        truth = label(state.metadata["category"], question, answer, state.metadata["format"])
        return Score(value={"verdict": truth.label, "severity": truth.severity}, answer=answer, explanation=truth.label)

    return score
