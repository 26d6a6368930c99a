"""Ask a grader about one answer, from the cache where it can, never without a limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from inspect_ai.model import GenerateConfig, Model
from inspect_ai.util import LimitExceededError

from spillover._inspect import PrerequisiteError, active_generate_config
from spillover.errors import SpilloverError, choices
from spillover.judging.cache import JudgementCache, cache_path, judgement_key, open_cache
from spillover.judging.readers import Limited, Reading, resolve_reader
from spillover.judging.rubric import READERS, Reader, Rubric
from spillover.judging.ways import cause, read_as_taken
from spillover.models.identity import cache_identity
from spillover.redaction import redact

ATTEMPT_TIMEOUT, TIMEOUT = 300, 1800
"""Seconds for one request and for all its retries, where the user set none: a grader that hangs must not hang the run."""


_first_call: Callable[[Model], Awaitable[None]] | None = None


@contextmanager
def first_calling(call: Callable[[Model], Awaitable[None]]) -> Iterator[None]:
    """Within: a call that is made before a grader is asked for what no cache knows. An error in it ends the judging."""
    global _first_call
    before, _first_call = _first_call, call
    try:
        yield
    finally:
        _first_call = before


@dataclass(frozen=True)
class Assessor:
    """What to ask about every answer.

    Attributes:
        rubrics: What is asked about every answer.
        reader: How replies are read.
        cache: Where readings are kept; None to ask every time.
    """

    rubrics: tuple[Rubric, ...]
    reader: Reader
    cache: JudgementCache | None

    @classmethod
    def of(cls, rubrics: tuple[Rubric, ...], reader: Reader, cache: bool) -> Assessor:
        """From rubrics.

        Raises:
            SpilloverError: for an unknown reader.
        """
        if reader not in READERS:
            raise SpilloverError(f"Unknown reader '{reader}'; {choices(reader, READERS)}")
        return cls(rubrics, reader, open_cache(cache_path()) if cache else None)

    async def ask(
        self,
        grader: Model,
        rubric: Rubric,
        question: str,
        answer: str,
        system: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Reading:
        """The reading of one rubric; `fields` fill its own slots."""
        mode = resolve_reader(self.reader, rubric, grader)
        limited = Limited(grader, _limits(grader))

        async def ask() -> Reading:
            if _first_call is not None:
                await _first_call(grader)
            try:
                found = await read_as_taken(limited, prompt, rubric, mode, self.reader == rubric.reader == "auto", answer)
                quote = None if found.quote is None else redact(found.quote)
                return replace(found, replies=[redact(said) for said in found.replies], quote=quote)
            except (LimitExceededError, PrerequisiteError):
                raise
            except Exception as error:  # providers raise anything once their retries are spent; the answer stays, unscored
                told = redact(str(cause(error)))[:300]
                return Reading(mode, reason=f"grader_error: {type(cause(error)).__name__}", replies=[told])

        judged: Callable[[Rubric, str, str], str] | None = getattr(grader.api, "judged", None)  # it reads no rubric's words
        prompt = judged(rubric, question, answer) if judged else rubric.render(question, answer, system, fields)
        identity = cache_identity(grader)
        if self.cache is None or identity is None:
            return await ask()
        key = judgement_key(rubric, self.key_mode(grader, rubric), identity, prompt)
        return await self.cache.once(key, ask, lambda kept: kept.fits(rubric))

    def key_mode(self, grader: Model, rubric: Rubric) -> str:
        """The reader in the cache's key: `logprob:number` where a number may stand in for missing log-probabilities."""
        mode = resolve_reader(self.reader, rubric, grader)
        return f"{mode}:number" if self.reader == rubric.reader == "auto" and mode != "number" else mode


def _limits(grader: Model) -> GenerateConfig:
    """Time limits, unless the user set any or asked for batches, which take hours."""
    own, run = grader.config, active_generate_config()
    # Of the run's settings Inspect hands timeout and retries on to a model role, and not the others.
    chosen = (own.batch, own.timeout, own.attempt_timeout, own.max_retries, run.timeout, run.max_retries)
    if any(value not in (None, False) for value in chosen):
        return GenerateConfig()
    return GenerateConfig(timeout=TIMEOUT, attempt_timeout=ATTEMPT_TIMEOUT)
