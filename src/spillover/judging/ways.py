"""Ask a grader in a way that its provider takes: reasoning models give no log-probabilities and set their temperature."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from spillover.judging.readers import Grader, Limited, Reading, read
from spillover.judging.rubric import Reader, Rubric

logger = logging.getLogger(__name__)

UNSUPPORTED = (400, 422)
"""Statuses of a request that no repetition would make right."""
_taken: dict[str, int] = {}
"""Grader to the first way that it took."""
_first_works: set[str] = set()
"""Graders that were read in the best way before."""


@dataclass(frozen=True)
class AsItComes:
    """A grader that is asked without a temperature."""

    inner: Grader

    async def generate(self, input: str | list[ChatMessage], *, config: GenerateConfig) -> ModelOutput:
        """One reply at the provider's own temperature."""
        return await self.inner.generate(input, config=config.model_copy(update={"temperature": None}))


async def read_as_taken(
    grader: Limited, prompt: str, rubric: Rubric, mode: Reader, other: bool, answer: str = ""
) -> Reading:
    """Read a grader's reply; what its provider refuses is asked in another way, and said once.

    Args:
        grader: Who is asked.
        prompt: Rendered rubric.
        rubric: For the scale.
        mode: How the reply is read at best.
        other: Whether a plain number may stand in for log-probabilities.
        answer: That is read, for quotations from it.

    Raises:
        Exception: whatever the provider raises to the last way.
    """
    ways: list[tuple[Reader, Grader]] = [(mode, grader)]
    if other and mode in ("logprob", "choice"):
        ways.append(("number", grader))
    if ways[-1][0] in ("number", "json", "evidence"):
        ways.append((ways[-1][0], AsItComes(grader)))
    key = f"{grader.model} {mode} {other}"
    first, why = _taken.get(key, 0), ""
    for place in range(first, len(ways)):
        how, who = ways[place]
        try:
            reading = await read(who, prompt, rubric, how, answer)
        except Exception as error:
            if place + 1 == len(ways) or status(error) not in UNSUPPORTED:
                raise
            why = str(cause(error))
            continue
        if reading.reason is None:
            # What one answer met with (a filter, a prompt too long) is no reason to read all others in another way.
            if place == 0:
                _first_works.add(key)
            elif place > first and key not in _first_works:
                _tell(key, place, str(grader.model), _named(ways[place]), why or "it gave no log-probabilities")
            return reading
        if reading.reason != "no_logprobs" or place + 1 == len(ways):
            return reading
    raise AssertionError("the last way returns or raises")


def status(error: BaseException) -> int | None:
    """HTTP status behind an error."""
    code = getattr(cause(error), "status_code", None)
    return code if isinstance(code, int) else None


def cause(error: BaseException) -> BaseException:
    """What the provider said, inside of what retrying and Inspect wrap around it."""
    found: BaseException | None = error
    for _ in range(8):
        wrapper = hasattr(found, "provider_message")  # Inspect's own, whose text begins with the whole request
        if found is None or (isinstance(getattr(found, "status_code", None), int) and not wrapper):
            break
        attempt = getattr(found, "last_attempt", None)
        found = attempt.exception() if attempt is not None else found.__cause__ or found.__context__
    if found is not None:
        return found
    attempt = getattr(error, "last_attempt", None)
    return (attempt.exception() if attempt is not None else None) or error


def _named(way: tuple[Reader, Grader]) -> str:
    return f"{way[0]}, at its own temperature" if isinstance(way[1], AsItComes) else way[0]


def _tell(key: str, place: int, name: str, way: str, why: str) -> None:
    if _taken.get(key, 0) < place:
        _taken[key] = place
        logger.warning("%s is read as %s from here on: %s", name, way, " ".join(why.split())[:200])


def forget() -> None:
    """What graders took is asked again."""
    _taken.clear()
    _first_works.clear()
