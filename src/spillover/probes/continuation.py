"""Log-probability of a given ending, from engines that score the tokens of a prompt (`spillover/`, `vllm/`)."""

from __future__ import annotations

from inspect_ai.model import ChatMessage, ChatMessageAssistant, GenerateConfig, Model

from spillover.errors import SpilloverError

SCORING = ("spillover", "vllm")
"""Providers that return `prompt_logprobs` and continue a final assistant message."""


def require_scoring(model: Model) -> None:
    """Refuse a model whose provider can not score a given text.

    Raises:
        SpilloverError: naming what can.
    """
    if str(model).split("/")[0] not in SCORING:
        raise SpilloverError(
            f"{model} can not score a given ending: that takes an engine with prompt log-probabilities (spillover/, vllm/). "
            "Leave the form 'pair' out, or use method=letter for multiple choice."
        )


async def ending_logprob(model: Model, messages: list[ChatMessage], stem: str, ending: str) -> tuple[float, int]:
    """(log-probability in nats, number of tokens) of `ending` after the assistant has begun with `stem`.

    The tokens counted are the last ones that cover the ending; a token that straddles its beginning counts as a whole.

    Raises:
        SpilloverError: if the server returned no log-probabilities of the prompt.
    """
    require_scoring(model)
    text = f"{stem} {ending}".strip()
    output = await model.generate(
        [*messages, ChatMessageAssistant(content=text)],
        config=GenerateConfig(max_tokens=1, temperature=0, prompt_logprobs=1),
    )
    found = output.choices[0].prompt_logprobs if output.choices else None
    if found is None or not found.content:
        raise SpilloverError(
            f"{model} returned no log-probabilities of the prompt; the form 'pair' can not be measured with it."
        )
    total, covered, tokens = 0.0, "", 0
    for token in reversed(found.content):
        total += token.logprob
        tokens += 1
        covered = token.token + covered
        if len(covered.strip()) >= len(ending):
            break
    return total, tokens
