"""Ask a grader about one answer, from the cache where it can, never without a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from inspect_ai.model import GenerateConfig, Model
from inspect_ai.util import LimitExceededError

from spillover._inspect import PrerequisiteError, active_generate_config
from spillover.errors import SpilloverError
from spillover.judging.cache import JudgementCache, cache_path, judgement_key, open_cache
from spillover.judging.readers import Limited, Reading, resolve_reader
from spillover.judging.rubric import READERS, Reader, Rubric
from spillover.judging.ways import cause, read_as_taken
from spillover.models.identity import cache_identity

ATTEMPT_TIMEOUT, TIMEOUT = 300, 1800
"""Seconds for one request and for all its retries, where the user set none: a grader that hangs must not hang the run."""


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
            raise SpilloverError(f"Unknown reader '{reader}'; choose from {', '.join(READERS)}.")
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
            try:
                return await read_as_taken(limited, prompt, rubric, mode, self.reader == rubric.reader == "auto", answer)
            except (LimitExceededError, PrerequisiteError):
                raise
            except Exception as error:  # providers raise anything once their retries are spent; the answer stays, unscored
                told = str(cause(error))[:300]
                return Reading(mode, reason=f"grader_error: {type(cause(error)).__name__}", replies=[told])

        judged: Callable[[Rubric, str, str], str] | None = getattr(grader.api, "judged", None)  # it reads no rubric's words
        prompt = judged(rubric, question, answer) if judged else rubric.render(question, answer, system, fields)
        identity = cache_identity(grader)
        if self.cache is None or identity is None:
            return await ask()
        return await self.cache.once(judgement_key(rubric, self.key_mode(grader, rubric), identity, prompt), ask)

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
