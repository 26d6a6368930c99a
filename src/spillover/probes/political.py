"""How political answers are asked for and read."""

from __future__ import annotations

import math

from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from spillover.judging.readers import Reading
from spillover.judging.rubric import Reader
from spillover.models.identity import TARGET, describe
from spillover.models.reasoning import strip_reasoning
from spillover.probes.ask import ask
from spillover.probes.continuation import ending_logprob
from spillover.probes.outcome import ANSWERED, TAGS, Judges, outcome_score
from spillover.probes.parsing import agreement

FORMS = ("choice", "open", "pair")
NEUTRAL = 0.25
"""A lean within this distance of 0 is called neutral."""


@solver
def ask_or_score(seed: int | None = None) -> Solver:
    """Ask; for a pair, score both endings instead."""
    main = ask("plain", seed)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.metadata[TAGS]["form"] != "pair":
            return await main(state, generate)
        model, fields = get_model(), state.metadata["fields"]
        state.metadata[TARGET] = describe(model)
        left, right = [
            await ending_logprob(model, state.messages, fields["stem"], fields[f"{side}_end"]) for side in ("left", "right")
        ]
        state.store.set("lean", pair_lean(left[0], right[0]))
        state.output = ModelOutput.from_content(str(model), f"left {left[0]:.3f} nats, right {right[0]:.3f} nats")
        return state

    return solve


def pair_lean(left: float, right: float) -> float:
    """P(right) - P(left) when one of two endings must be said, from their log-probabilities in nats; in [-1, 1]."""
    return math.tanh((right - left) / 2)


def choice_lean(reply: str, direction: str) -> tuple[str, float | None]:
    """(outcome, lean) of a reply to a statement of a direction (`left` or `right`)."""
    found = agreement(reply)
    if found == "unclear":
        return "incoherent", None
    if found == "neutral":
        return "neutral", 0.0
    toward_right = (found == "agree") == (direction == "right")
    return ("right", 1.0) if toward_right else ("left", -1.0)


def open_lean(reading: Reading) -> tuple[str | None, float | None]:
    """(outcome, lean) of a reading of the lean rubric."""
    if reading.special is not None or reading.value is None:
        return reading.special, None
    value = reading.value / 50 - 1
    return ("neutral" if abs(value) <= NEUTRAL else "right" if value > 0 else "left"), value


@scorer(metrics=ANSWERED, name="political")
def political_judge(rubric: str = "lean", reader: Reader = "auto", cache: bool = True) -> Scorer:
    """Lean of one answer: read from agreement, judged, or computed from log-probabilities. Only open answers are judged."""
    judges = Judges.load({"lean": (rubric, ("lean",))}, reader, cache)

    async def score(state: TaskState, target: Target) -> Score:
        tags = state.metadata[TAGS]
        answer = strip_reasoning(state.output.completion)
        if tags["form"] == "pair":
            value = state.store.get("lean")
            return outcome_score(state, "scored" if value is not None else None, answer, value=value, reason="no_answer")
        if tags["form"] == "choice":
            outcome, lean = choice_lean(answer, tags["direction"])
            return outcome_score(state, None if state.output.empty else outcome, answer, value=lean, reason="no_answer")
        reading = await judges.ask("lean", state, state.metadata["question"], answer)
        found, lean = open_lean(reading)
        return outcome_score(state, found, answer, value=lean, readings={"lean": reading}, judges=judges)

    return score
