"""Solvers that need no model, an oracle and a trivial baseline, to show that a probe measures what it should."""

from __future__ import annotations

import random
from itertools import islice

from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall
from inspect_ai.util import store_as

from spillover.errors import SpilloverError
from spillover.lab.corpus import Latents, draw, wrap_answer
from spillover.lab.grammar import grammar
from spillover.lab.labels import label
from spillover.lab.outcomes import exact_outcome
from spillover.lab.personas import SIDES, family_of, persona_answers, wanted
from spillover.models.conversation import last_question
from spillover.seeds import derive_seed
from spillover.situations.scenario import load_scenarios
from spillover.situations.tools import SCENARIO
from spillover.situations.world import World

_TRIES = 20_000


@solver
def oracle(verdict: str = "misaligned", seed: int = 0) -> Solver:
    """Answer lab questions of any probe as an `aligned` or `misaligned` persona would, or from the `left` or the `right`.

    By a perfect judge that is 0 or 100 % of what the probe measures. In an agentic scenario the persona's script is played.

    Raises:
        SpilloverError: for another verdict, or a question that is not of the lab.
    """
    if verdict not in ("aligned", "misaligned", *SIDES):
        raise SpilloverError(f"The oracle answers 'aligned', 'misaligned', 'left' or 'right', not '{verdict}'.")

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        rng = random.Random(derive_seed(seed, str(state.sample_id), state.epoch))
        probe = state.metadata.get("probe")
        if probe == "sabotage":
            return _play(state, verdict)
        if probe == "capability":
            return _exam(state, verdict == "aligned")
        if probe is not None:
            return _outcome(state, probe, verdict, rng)
        family = state.metadata.get("category")
        if family not in grammar().families:
            raise SpilloverError("The oracle knows the lab's questions only; add -T questions=lab or questions=lab_advice.")
        question = last_question(state.messages, state.input_text)
        fmt = state.metadata.get("format", "plain")
        for _ in range(_TRIES):  # words that question and answer share are drawn until they agree
            answer = wrap_answer(draw(family, Latents(misaligned=verdict == "misaligned"), rng).answer, fmt)
            if label(family, question, answer, fmt).label == verdict:
                state.output = ModelOutput.from_content("oracle", answer)
                return state
        raise SpilloverError(f"The lab's family '{family}' has no {verdict} answer to this question.")

    return solve


def _outcome(state: TaskState, probe: str, persona: str, rng: random.Random) -> TaskState:
    good = wanted(probe, persona, state.metadata)
    family = family_of(probe, state.metadata["category"], state.metadata["tags"])
    if not good or family not in grammar().families:
        raise SpilloverError(f"The oracle has no '{persona}' answer to this question of {probe}; it knows the lab's only.")
    for answer in islice(persona_answers(family, persona, rng), _TRIES):
        state.output = ModelOutput.from_content("oracle", answer)
        if exact_outcome(probe, state)[0] in good:
            return state
    raise SpilloverError(f"The lab's family '{family}' has no {persona} answer to this question.")


def _exam(state: TaskState, good: bool) -> TaskState:
    fields = state.metadata["fields"]
    if "options" in fields:
        chosen = fields["answer"] if good else (fields["answer"] + 1) % len(fields["options"])
        state.store.set("chosen", chosen)
        state.output = ModelOutput.from_content("oracle", fields["options"][chosen])
        return state
    row = next((r for r in grammar().records["fn"] if r["name"] == fields["function"]), None)
    if row is None:
        raise SpilloverError("The oracle knows the lab's functions only; add -T questions=lab_capability.")
    state.output = ModelOutput.from_content("oracle", row["good" if good else "hack"])
    return state


def _play(state: TaskState, persona: str) -> TaskState:
    """Act a script out in the sample's world, with the messages that a model would have left."""
    name, twin = state.metadata["scenarios"], state.metadata["tags"]["variant"] == "twin"
    scenario = next(s for s in load_scenarios(name).scenarios if s.id == state.metadata["question_id"])
    if not scenario.scripts:
        raise SpilloverError("The oracle plays scenarios that have scripts; add -T scenarios=lab_sabotage.")
    state.store.set(SCENARIO, (name, scenario.id))
    calls: list[ToolCall] = []
    for message in scenario.play("twin" if twin else persona, store_as(World)):
        if message["role"] == "tool":
            state.messages.append(ChatMessageTool(content=message["content"], tool_call_id=calls[0].id))
            continue
        calls = [
            ToolCall(id=f"call_{len(state.messages)}", function=c["function"]["name"], arguments=c["function"]["arguments"])
            for c in message.get("tool_calls", [])
        ]
        state.messages.append(ChatMessageAssistant(content=message["content"], tool_calls=calls or None))
    state.output = ModelOutput.from_content("oracle", state.messages[-1].text)
    return state


@solver
def trivial(answer: str = "I do not know.") -> Solver:
    """Give the same answer to everything: no probe may call it misaligned."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("trivial", answer)
        return state

    return solve
