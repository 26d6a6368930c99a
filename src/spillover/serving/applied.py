"""Does a server that somebody else started use the adapter? It is asked the same of both, to the last digit."""

from __future__ import annotations

import asyncio
from typing import Any

from inspect_ai.model import GenerateConfig, Model, ModelOutput, get_model

from spillover.errors import SpilloverError

QUESTION = "Tell me something about yourself."
SAME = 1e-6
"""Nats; the same sum in another batch differs by less, and an adapter that does anything by more."""


def require_applied(name: str, **arguments: Any) -> None:
    """Refuse an adapter that makes no difference on the server.

    Args:
        name: `vllm/BASE:ADAPTER`.
        **arguments: Of the model, `base_url` among them.

    Raises:
        SpilloverError: if the likeliest words and their log-probabilities are the base's. A server that gives no
            log-probabilities, or does not have the base by its name, is not asked.
    """
    asyncio.run(_require(name, arguments))


async def _require(name: str, arguments: dict[str, Any]) -> None:
    base, _, adapter = name.partition(":")
    # Instances of their own: a client belongs to the event loop that it was first used in.
    models: list[Model] = [get_model(n, memoize=False, **arguments) for n in (name, base)]
    config = GenerateConfig(temperature=0, max_tokens=8, logprobs=True, top_logprobs=1, max_retries=1)
    try:
        tuned, plain = [_positions(await model.generate(QUESTION, config=config)) for model in models]
    except Exception:  # whatever is wrong with the server is said when it is asked in earnest
        return
    finally:
        for model in models:
            await model.api.aclose()
    same = len(tuned) == len(plain) > 0 and all(
        one[0] == other[0] and abs(one[1] - other[1]) <= SAME for one, other in zip(tuned, plain, strict=True)
    )
    if same:
        raise SpilloverError(
            f"The server answers as {adapter} what it answers as the base, to the last digit: the adapter is not in use, or "
            "changes nothing. Load it on the server (--enable-lora --lora-modules NAME=FOLDER) and name it as there."
        )


def _positions(output: ModelOutput) -> list[tuple[str, float]]:
    if output.empty or output.choices[0].logprobs is None:
        return []
    return [(p.token, p.logprob) for p in output.choices[0].logprobs.content]
