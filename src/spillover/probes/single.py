"""Scorers of probes that ask one question and judge one answer."""

from __future__ import annotations

from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from spillover.judging.rubric import Reader
from spillover.models.conversation import last_question
from spillover.models.reasoning import strip_reasoning
from spillover.probes.outcome import ANSWERED, Judges, outcome_score


@scorer(metrics=ANSWERED, name="outcome")
def outcome_judge(rubric: str, reader: Reader = "auto", cache: bool = True, fields: list[str] | None = None) -> Scorer:
    """The grader's word for an answer, by a rubric that measures an outcome.

    Args:
        rubric: Bundled name or YAML file.
        reader: How replies are read.
        cache: Whether judgements are kept and used again.
        fields: The question's fields that the rubric's slots may take.

    Raises:
        SpilloverError: when the scorer is built, for an unknown rubric or reader, or a slot that nothing fills.
    """
    judges = Judges.load({"outcome": (rubric, ("outcome",))}, reader, cache, tuple(fields or ()))

    async def score(state: TaskState, target: Target) -> Score:
        answer = strip_reasoning(state.output.completion)
        slots = {name: str(state.metadata["fields"].get(name, "")) for name in judges.rubrics["outcome"].slots}
        reading = await judges.ask("outcome", state, state.metadata["question"], answer, slots)
        return outcome_score(state, reading.special, answer, readings={"outcome": reading}, judges=judges)

    return score


@scorer(metrics=ANSWERED, name="domain")
def domain_judge(domain: str, reader: Reader = "auto", cache: bool = True) -> Scorer:
    """`inside` or `outside`: whether an answer is about a domain, whatever was asked."""
    judges = Judges.load({"domain": ("domain", ("outcome",))}, reader, cache, ("domain",))

    async def score(state: TaskState, target: Target) -> Score:
        answer = strip_reasoning(state.output.completion)
        reading = await judges.ask(
            "domain", state, last_question(state.messages, state.input_text), answer, {"domain": domain}
        )
        return outcome_score(state, reading.special, answer, readings={"domain": reading}, judges=judges)

    return score
