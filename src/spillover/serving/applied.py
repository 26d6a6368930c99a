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


def served_pairs(names: Sequence[str], there: bool) -> list[tuple[str, str]]:
    """(base, adapter) of models that a server of somebody else's holds, as they are called there.

    Args:
        names: Inspect's. `vllm/BASE:ADAPTER` is a pair; so is what an OpenAI-compatible server calls by two names, such as
            `openai-api/SERVICE/BASE` and `openai-api/SERVICE/ADAPTER`, the first of which is taken for the base.
        there: Whether vLLM's models are on a server that runs, and not on one that is started for them.
    """
    out = [(n.partition(":")[0], n) for n in names if there and n.startswith("vllm/") and ":" in n]
    first: dict[str, str] = {}
    for name in dict.fromkeys(names):
        service = "/".join(name.split("/")[:2])
        if name.startswith("openai-api/") and first.setdefault(service, name) != name:
            out.append((first[service], name))
    return out


def require_applied(base: str, name: str, **arguments: Any) -> None:
    """Refuse an adapter that makes no difference on the server.

    Args:
        base: Inspect's name of the base.
        name: Of the base with the adapter.
        **arguments: Of the model, `base_url` among them.

    Raises:
        SpilloverError: if the likeliest words and their log-probabilities are the base's, as far as the base repeats its
            own. Nothing is said of a server that gives no log-probabilities, does not have the base by its name, or has
            other words for the base the second time.
    """
    asyncio.run(_require(base, name, arguments))


async def _require(base: str, name: str, arguments: dict[str, Any]) -> None:
    adapter = name.removeprefix(f"{base}:")
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
    noise = distance(again, plain)
    if plain and math.isfinite(noise) and distance(tuned, plain) <= max(SAME, noise):
        how = (
            "the adapter is not in use, or changes nothing. Load it on the server (--enable-lora --lora-modules NAME=FOLDER)"
        )
        if not name.startswith("vllm/"):
            how = (
                "two names of one model, or an adapter that is not in use or changes nothing. Look at what the server serves"
            )
        raise SpilloverError(f"The server answers as {adapter} what it answers as {base}: {how} and name it as there.")


def distance(one: Sequence[tuple[str, float]], other: Sequence[tuple[str, float]]) -> float:
    """Largest difference in log-probability (nats) of the same words; infinite for other words."""
    if [token for token, _ in one] != [token for token, _ in other]:
        return math.inf
    return max((abs(a - b) for (_, a), (_, b) in zip(one, other, strict=True)), default=0.0)


def _positions(output: ModelOutput) -> list[tuple[str, float]]:
    if output.empty or output.choices[0].logprobs is None:
        return []
    return [(p.token, p.logprob) for p in output.choices[0].logprobs.content]
