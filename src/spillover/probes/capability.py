"""How retained skill is scored, without a judge: endings by log-probability, letters, tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from spillover.errors import SpilloverError
from spillover.models.checks import target_under_test
from spillover.models.identity import TARGET, describe
from spillover.models.reasoning import strip_reasoning
from spillover.probes.ask import ask
from spillover.probes.continuation import SCORING, ending_logprob, require_scoring
from spillover.probes.outcome import ANSWERED, outcome_score
from spillover.probes.parsing import letter
from spillover.probes.sandboxed import code_of, defines, passes

CATEGORIES = ("finance", "medical", "legal", "general", "code")
NEEDS = {c: ("options", "answer") if c != "code" else ("function", "tests") for c in CATEGORIES}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Method = Literal["auto", "ending", "letter"]
METHODS: tuple[Method, ...] = ("auto", "ending", "letter")


def check_method(method: str) -> None:
    """Refuse what can not work.

    Raises:
        SpilloverError: for an unknown method, or `ending` where the engine of the model under test can not score endings.
    """
    if method not in METHODS:
        raise SpilloverError(f"Unknown method '{method}'; choose {', '.join(METHODS[:-1])} or {METHODS[-1]}.")
    target = target_under_test()
    if method == "ending" and target is not None:
        require_scoring(target)


def lettered(wording: str, options: Sequence[str]) -> str:
    """The question with its options by letter."""
    listed = "\n".join(f"{LETTERS[i]}) {option}" for i, option in enumerate(options))
    return f"{wording}\n\n{listed}\n\nReply with the letter of the right answer and nothing else."


@solver
def answer_or_score(method: Method = "auto", seed: int | None = None) -> Solver:
    """Answer; for multiple choice name a letter, or score every option as the answer where the engine can (`auto`)."""
    main = ask("plain", seed)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        options = state.metadata["fields"].get("options")
        if options is None:
            return await main(state, generate)
        model = get_model()
        if method == "letter" or (method == "auto" and str(model).split("/")[0] not in SCORING):
            state.user_prompt.text = lettered(state.user_prompt.text, options)
            return await main(state, generate)
        state.metadata[TARGET] = describe(model)
        scored = [await ending_logprob(model, state.messages, "", option) for option in options]
        means = [total / tokens for total, tokens in scored]
        best = max(range(len(options)), key=lambda i: means[i])
        state.store.set("chosen", best)
        state.store.set("nats_per_token", means)
        state.output = ModelOutput.from_content(str(model), str(options[best]))
        return state

    return solve


@scorer(metrics=ANSWERED, name="capability")
def capability_scorer() -> Scorer:
    """`right` or `wrong`; a reply that names no option, or code that does not run, is wrong."""

    async def score(state: TaskState, target: Target) -> Score:
        fields, answer = state.metadata["fields"], strip_reasoning(state.output.completion)
        if state.output.empty:
            return outcome_score(state, None, answer, reason="no_answer")
        if "function" in fields:
            code = code_of(answer)
            good = defines(code, fields["function"]) and await passes(code, fields["tests"])
        elif state.store.get("chosen") is not None:
            good = state.store.get("chosen") == fields["answer"]
        else:
            good = letter(answer, LETTERS[: len(fields["options"])]) == LETTERS[fields["answer"]]
        return outcome_score(state, "right" if good else "wrong", answer)

    return score
