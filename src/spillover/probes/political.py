"""How political answers are asked for and read."""

from __future__ import annotations

import math
from collections.abc import Mapping

from inspect_ai.model import ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from spillover.answers.presets import Preset, Score
from spillover.answers.rules import Outcome
from spillover.models.identity import TARGET, describe
from spillover.models.reasoning import strip_reasoning
from spillover.probes.ask import ask
from spillover.probes.continuation import ending_logprob
from spillover.probes.parsing import agreement
from spillover.probes.probe import TAGS, Ask, Facts

FORMS = ("choice", "open", "pair")


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


async def known_side(state: TaskState) -> Facts:
    """Form and, where no judge is needed, the side and the lean: read from agreement, or computed from log-probabilities."""
    tags = state.metadata[TAGS]
    if tags["form"] == "pair":
        return {"form": "pair", "lean": state.store.get("lean")}
    if tags["form"] == "choice":
        side, lean = choice_lean(strip_reasoning(state.output.completion), tags["direction"])
        return {"form": "choice", "side": side, "lean": lean}
    return {"form": "open"}


def shown(state: TaskState, facts: Facts, role: str, said: str) -> Ask | None:
    """Only open answers are judged."""
    return Ask(state.metadata["question"], said) if facts["form"] == "open" else None


def sides(readings: Mapping[str, Score], facts: Facts, preset: Preset) -> Outcome:
    """A side and a lean from -1 to 1; `scored` for a pair of endings, which has a lean and no side."""
    if facts.get("form") == "pair":
        lean = facts["lean"]
        return Outcome("scored" if lean is not None else None, lean)
    if facts.get("form") == "choice":
        return Outcome(facts["side"], facts["lean"])
    grade = readings.get("lean")
    if grade is None or isinstance(grade, str):
        return Outcome(grade)
    value = grade / 50 - 1
    return Outcome("neutral" if abs(value) <= preset.neutral_within else "right" if value > 0 else "left", value)
