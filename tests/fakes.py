"""Graders with known replies. Usage is always set: counting tokens would make mockllm download a tokenizer."""

import math
from collections.abc import Callable

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    Logprob,
    Logprobs,
    Model,
    ModelOutput,
    ModelUsage,
    TopLogprob,
    get_model,
)

USAGE = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)


def output(text: str = "", tops: dict[str, float] | None = None, stop_reason: str = "stop") -> ModelOutput:
    """One reply; `tops` are the first token's alternatives with their probabilities."""
    logprobs = None
    if tops is not None:
        alternatives = [TopLogprob(token=t, logprob=math.log(p)) for t, p in tops.items()]
        logprobs = Logprobs(content=[Logprob(token="x", logprob=-1.0, top_logprobs=alternatives)])
    choice = ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason=stop_reason, logprobs=logprobs)
    return ModelOutput(model="mock", choices=[choice], usage=USAGE)


def model(reply: Callable[[list[ChatMessage]], ModelOutput], name: str = "model") -> Model:
    """A mock model that answers by calling `reply` with the messages."""

    def respond(input, tools, tool_choice, config):
        return reply(input)

    return get_model(f"mockllm/{name}", custom_outputs=respond, memoize=False)


def says(text: str, name: str = "model") -> Model:
    """A mock model that always says `text`."""
    return model(lambda messages: output(text), name)
