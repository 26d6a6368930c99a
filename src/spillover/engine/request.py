"""What one answer asks of the engine, and what it gets back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from spillover.engine.constrain import JsonConstraint
    from spillover.engine.tree import Replies

StopReason = Literal["stop", "max_tokens"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        max_tokens: Most new tokens, >= 1.
        temperature: 0 for greedy.
        top_p: Nucleus mass in (0, 1].
        top_k: Most candidates; 0 for all.
        stop: Strings that end the answer (and are cut from it).
        logprobs: Whether the log-probability of each token is kept.
        top_logprobs: How many alternatives are kept beside it.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0


class TokenLogprob(NamedTuple):
    """Log-probabilities at one position, in nats, before temperature and constraints.

    Attributes:
        token: Id of the token that was drawn.
        logprob: Its log-probability.
        top: The most probable (id, log-probability) pairs, best first.
    """

    token: int
    logprob: float
    top: list[tuple[int, float]]


class Answer(NamedTuple):
    """A finished answer: new token ids without the end token, why it ended, and its log-probabilities if kept."""

    tokens: list[int]
    text: str
    stop_reason: StopReason
    logprobs: list[TokenLogprob]


@dataclass
class Request:
    """One answer in flight. It has its own random generator, so it does not matter what shares its batch.

    `score_prompt` asks for the log-probability of every token of the prompt after the first, which `scored` then holds;
    `replies` for the probability of each of them, which `priced` holds.
    """

    prompt: list[int]
    sampling: Sampling
    seed: int
    adapter: str | None = None
    constraint: JsonConstraint | None = None
    score_prompt: bool = False
    scored: list[TokenLogprob] = field(default_factory=list)
    replies: Replies | None = None
    priced: dict[str, float] = field(default_factory=dict)
    future: Future[Answer] = field(default_factory=Future)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def key(self) -> int:
        """What the next token is drawn by: the next 63 bits of this request's own generator."""
        return self._random.getrandbits(63)

    def fail(self, error: BaseException) -> None:
        """Give up with `error`, unless it was answered or cancelled meanwhile."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(error)

    def take(self, token: int, end_tokens: frozenset[int], decode: Callable[[list[int]], str]) -> Answer | None:
        """Append `token`; the finished answer, or None while it goes on."""
        if token in end_tokens:
            return Answer(self.tokens, decode(self.tokens), "stop", self.logprobs)
        self.tokens.append(token)
        if self.sampling.stop:
            text = decode(self.tokens)
            cuts = [position for s in self.sampling.stop if (position := text.find(s)) >= 0]
            if cuts:
                return Answer(self.tokens, text[: min(cuts)], "stop", self.logprobs)
        if self.constraint is not None and self.constraint.accept(token):
            return Answer(self.tokens, decode(self.tokens), "stop", self.logprobs)
        if len(self.tokens) >= self.sampling.max_tokens:
            return Answer(self.tokens, decode(self.tokens), "max_tokens", self.logprobs)
        return None
