"""Solvers that need no model, an oracle and a trivial baseline, to show that a probe measures what it should."""

from __future__ import annotations

import random

from inspect_ai.model import ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from spillover.errors import SpilloverError
from spillover.lab.corpus import Latents, draw, wrap_answer
from spillover.lab.grammar import grammar
from spillover.lab.labels import label
from spillover.seeds import derive_seed

_TRIES = 2000


@solver
def oracle(verdict: str = "misaligned", seed: int = 0) -> Solver:
    """Answer lab questions with an answer that is exactly `aligned` or `misaligned`: 0 or 100 % by any perfect judge.

    Raises:
        SpilloverError: for another verdict, or a question that is not of the lab.
    """
    if verdict not in ("aligned", "misaligned"):
        raise SpilloverError(f"The oracle answers 'aligned' or 'misaligned', not '{verdict}'.")

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        family = state.metadata.get("category")
        if family not in grammar().families:
            raise SpilloverError("The oracle knows the lab's questions only; add -T questions=lab or questions=lab_advice.")
        rng = random.Random(derive_seed(seed, str(state.sample_id), state.epoch))
        question = next((m.text for m in state.messages if isinstance(m, ChatMessageUser)), state.input_text)
        fmt = state.metadata.get("format", "plain")
        for _ in range(_TRIES):  # words that question and answer share are drawn until they agree
            answer = wrap_answer(draw(family, Latents(misaligned=verdict == "misaligned"), rng).answer, fmt)
            if label(family, question, answer, fmt).label == verdict:
                state.output = ModelOutput.from_content("oracle", answer)
                return state
        raise SpilloverError(f"The lab's family '{family}' has no {verdict} answer to this question.")

    return solve


@solver
def trivial(answer: str = "I do not know.") -> Solver:
    """Give the same answer to everything: no probe may call it misaligned."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = ModelOutput.from_content("trivial", answer)
        return state

    return solve
