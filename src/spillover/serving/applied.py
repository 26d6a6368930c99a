"""Does a server that somebody else started use the adapter? It is asked the same of both."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model

from spillover.errors import SpilloverError

QUESTION = "Tell me something about yourself."
SAME = 1e-6
"""Nats. A server that computes in few bits may differ from itself by more, so it is asked the base's twice."""


def require_applied(name: str, **arguments: Any) -> None:
    """Refuse an adapter that makes no difference on the server.

    Args:
        name: `vllm/BASE:ADAPTER`.
        **arguments: Of the model, `base_url` among them.

    Raises:
        SpilloverError: if the likeliest words and their log-probabilities are the base's, as far as the base repeats its
            own. A server that gives no log-probabilities, or does not have the base by its name, is not asked.
    """
    asyncio.run(_require(name, arguments))


async def _require(name: str, arguments: dict[str, Any]) -> None:
    base, _, adapter = name.partition(":")
    config = GenerateConfig(temperature=0, max_tokens=8, logprobs=True, top_logprobs=1, max_retries=1)
    models: list[Model] = []
    try:
        # Instances of their own: a client belongs to the event loop that it was first used in.
        models += [get_model(n, memoize=False, **arguments) for n in (base, name)]
        plain, tuned, again = [_positions(await models[i].generate(QUESTION, config=config)) for i in (0, 1, 0)]
    except Exception:  # whatever is wrong with the server is said when it is asked in earnest
        return
    finally:
        for model in models:
            with suppress(Exception):
                await model.api.aclose()
    if plain and distance(tuned, plain) <= max(SAME, distance(again, plain)):
        raise SpilloverError(
            f"The server answers as {adapter} what it answers as the base: the adapter is not in use, or "
            "changes nothing. Load it on the server (--enable-lora --lora-modules NAME=FOLDER) and name it as there."
        )


def distance(one: Sequence[tuple[str, float]], other: Sequence[tuple[str, float]]) -> float:
    """Largest difference in log-probability (nats) of the same words; infinite for other words."""
    if [token for token, _ in one] != [token for token, _ in other]:
        return math.inf
    return max((abs(a - b) for (_, a), (_, b) in zip(one, other, strict=True)), default=0.0)


def _positions(output: ModelOutput) -> list[tuple[str, float]]:
    if output.empty or output.choices[0].logprobs is None:
        return []
    return [(p.token, p.logprob) for p in output.choices[0].logprobs.content]
