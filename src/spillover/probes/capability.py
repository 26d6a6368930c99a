"""How retained skill is scored, without a judge: endings by log-probability, letters, tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from inspect_ai.model import Model, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from spillover.answers.presets import Preset, Score
from spillover.answers.rules import Outcome
from spillover.environments.code import code_of, defines
from spillover.errors import SpilloverError
from spillover.models.checks import target_under_test
from spillover.models.identity import TARGET, describe
from spillover.models.reasoning import strip_reasoning
from spillover.probes.ask import ask
from spillover.probes.continuation import SCORING, ending_logprob, require_scoring
from spillover.probes.parsing import letter
from spillover.probes.probe import FIELDS, Facts
from spillover.probes.sandboxed import solves

CATEGORIES = ("finance", "medical", "legal", "general", "code")
NEEDS = {c: ("options", "answer") if c != "code" else ("function", "tests") for c in CATEGORIES}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Method = Literal["auto", "ending", "letter"]
METHODS: tuple[Method, ...] = ("auto", "ending", "letter")


def check_method(method: str) -> str:
    """The method that will be used, as far as it is known; refuse what can not work.

    Returns:
        `ending` or `letter`; `auto` where no model is known yet.

    Raises:
        SpilloverError: for an unknown method, or `ending` where the engine of the model under test can not score endings.
    """
    if method not in METHODS:
        raise SpilloverError(f"Unknown method '{method}'; choose {', '.join(METHODS[:-1])} or {METHODS[-1]}.")
    target = target_under_test()
    if target is None:
        return method
    if method == "ending":
        require_scoring(target)
    return ("ending" if _scores(target) else "letter") if method == "auto" else method


def _scores(model: Model) -> bool:
    return str(model).split("/")[0] in SCORING


def lettered(wording: str, options: Sequence[str]) -> str:
    """The question with its options by letter."""
    listed = "\n".join(f"{LETTERS[i]}) {option}" for i, option in enumerate(options))
    return f"{wording}\n\n{listed}\n\nReply with the letter of the right answer and nothing else."


@solver
def answer_or_score(method: Method = "auto", seed: int | None = None) -> Solver:
    """Answer; for multiple choice name a letter, or score every option as the answer where the engine can (`auto`)."""
    main = ask("plain", seed)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model, options = get_model(), state.metadata["fields"].get("options")
        state.metadata["method"] = "ending" if method == "ending" or (method == "auto" and _scores(model)) else "letter"
        if options is None:
            return await main(state, generate)
        if state.metadata["method"] == "letter":
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


async def right_or_wrong(state: TaskState) -> Facts:
    """Whether the answer is right; a reply that names no option, or code that does not run, is not."""
    fields, answer = state.metadata[FIELDS], strip_reasoning(state.output.completion)
    if "function" in fields:
        code = code_of(answer)
        return {"right": defines(code, fields["function"]) and await solves(code, fields["function"], fields["tests"])}
    if state.store.get("chosen") is not None:
        return {"right": state.store.get("chosen") == fields["answer"]}
    return {"right": letter(answer, LETTERS[: len(fields["options"])]) == LETTERS[fields["answer"]]}


def by_fact(readings: Mapping[str, Score], facts: Facts, preset: Preset) -> Outcome:
    """`right` or `wrong`."""
    return Outcome("right" if facts.get("right") else "wrong")
