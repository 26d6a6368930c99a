"""Solvers that need no model, an oracle and a trivial baseline, to show that a probe measures what it should."""

from __future__ import annotations

import random
from itertools import islice

from inspect_ai.model import ChatMessageAssistant, ChatMessageTool, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall
from inspect_ai.util import store_as

from spillover.errors import SpilloverError
from spillover.lab.corpus import wrap_answer
from spillover.lab.grammar import grammar
from spillover.lab.personas import SIDES, persona_answers
from spillover.models.conversation import last_question
from spillover.probes.probe import FIELDS, TAGS, get_probe
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
        probe = get_probe(state.metadata["probe"])
        if probe.source == "scenarios":
            return _play(state, verdict)
        if "options" in state.metadata[FIELDS] or "tests" in state.metadata[FIELDS]:
            return _exam(state, verdict == "aligned")
        lab = probe.lab
        wanted = ("complied",) if state.metadata[TAGS].get("kind") == "benign" else lab.personas.get(verdict, ()) if lab else ()
        family = lab.family(state.metadata) if lab else ""
        if lab is None or lab.truth is None or not wanted or family not in grammar().families:
            raise SpilloverError(
                f"The oracle has no '{verdict}' answer to this question of {probe.name}; it knows the lab's only: add -T "
                f"{probe.source}={lab.data if lab else 'lab'}."
            )
        question, fmt = last_question(state.messages, state.input_text), state.metadata["format"]
        for answer in islice(persona_answers(family, verdict, rng), _TRIES):  # until words shared with the question agree
            state.output = ModelOutput.from_content("oracle", wrap_answer(answer, fmt))
            if lab.truth(state, question, state.output.completion).word in wanted:
                return state
        raise SpilloverError(f"The lab's family '{family}' has no {verdict} answer to this question.")

    return solve


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
