"""Readers: from a grader's reply to one `Reading`, whatever the grader's provider can do.

`logprob`  probability-weighted mean over the whole numbers among the 20 likeliest first tokens, as published (Betley et
           al. 2025). Right only when the grader's tokenizer makes 0 to 100 single tokens, as OpenAI's does.
`choice`   the same mean for any tokenizer that returns log-probabilities: the tree of allowed replies is walked token by
           token, so "8" followed by "5" counts for 85 and not for 8. The in-process engine does it in one request.
`number`   one sampled reply, parsed strictly.
`json`     one reply under a response schema, checked against it.
`evidence` the same with a quotation from the answer; see `spillover.judging.structured`.

A reply that cannot be read is a `Reading` with a reason, never a number.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    TopLogprob,
)

from spillover.judging.rubric import Reader, Rubric
from spillover.judging.structured import read_evidence, read_json
from spillover.models.reasoning import strip_reasoning
from spillover.models.replies import PRICE, WALK_MASS, allowed_replies

MIN_MASS = 0.25
"""Least probability that must lie on numbers (Betley et al. 2025, `judge.py`), or on one special verdict's replies."""
TOP_LOGPROBS = 20
ROUNDING = 1e-6
"""Of a mean of grades: one that was kept may lie so far beside its scale."""


@dataclass(frozen=True)
class Reading:
    """What one grader said of one answer.

    Attributes:
        value: Score on the rubric's scale, or None.
        special: Verdict of a special reply (`refusal`, `off_format`), or None.
        reason: Why there is neither, or None.
        mode: Reader that was used.
        replies: Raw replies, or the likeliest first tokens with their probabilities.
        mass: Probability on readable replies, for the log-probability readers.
        cached: Whether it was read from the cache of judgements.
        quote: Part of the answer that decided, as the judge gave it and the answer has it.
    """

    mode: Reader
    value: float | None = None
    special: str | None = None
    reason: str | None = None
    replies: list[str] = field(default_factory=list)
    mass: float | None = None
    cached: bool = False
    quote: str | None = None

    @property
    def score(self) -> float | str | None:
        """The special verdict, else the number, else None."""
        return self.special if self.special is not None else self.value

    def as_dict(self) -> dict[str, Any]:
        """For a score's metadata."""
        return asdict(self)

    def fits(self, rubric: Rubric) -> bool:
        """Whether it is a verdict that the rubric can have: one that was kept may have been changed, or be of other code."""
        if self.special is not None:
            return self.special in rubric.special_replies.values()
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or rubric.scale is None:
            return False
        return rubric.low - ROUNDING <= self.value <= rubric.high + ROUNDING


def resolve_reader(reader: Reader, rubric: Rubric, grader: Model) -> Reader:
    """The reader to use: an explicit one, else the rubric's, else the best the grader's provider allows."""
    if hasattr(grader.api, "judged"):
        return "logprob"  # a judge of one's own has one way to say a score
    if reader == "auto":
        reader = rubric.reader
    if reader != "auto":
        return reader
    provider = str(grader).split("/")[0]
    if provider in ("openai", "azureai") and getattr(grader.api, "always_reasons", lambda: False)():
        return "number"  # without log-probabilities, and with a least number of tokens
    if provider in ("openai", "azureai") or getattr(grader.api, "whole_number_tokens", False):
        return "logprob"
    # The walk needs a server that continues a final assistant message, which of Inspect's providers these two ask for.
    return "choice" if provider in ("spillover", "vllm") else "number"


class Grader(Protocol):
    """What a reader asks: a model, or one with limits on its requests."""

    async def generate(self, input: str | list[ChatMessage], *, config: GenerateConfig) -> ModelOutput:
        """One reply."""


@dataclass(frozen=True)
class Limited:
    """A grader whose every request carries `limits` besides the reader's own settings."""

    model: Model
    limits: GenerateConfig

    async def generate(self, input: str | list[ChatMessage], *, config: GenerateConfig) -> ModelOutput:
        """One reply within the limits."""
        return await self.model.generate(input, config=self.limits.merge(config))


async def read(grader: Model | Grader, prompt: str, rubric: Rubric, reader: Reader, answer: str = "") -> Reading:
    """Ask `grader` about `answer` and read its reply with `reader` (not `auto`)."""
    if reader == "evidence":
        return await read_evidence(grader, prompt, rubric, answer)
    try:
        if reader == "logprob":
            return await _logprob(grader, prompt, rubric)
        if reader == "choice":
            return await _choice(grader, prompt, rubric)
    except _NoReply as reason:
        return Reading(reader, reason=str(reason))
    return await read_json(grader, prompt, rubric) if reader == "json" else await _number(grader, prompt, rubric)


def parse_number(text: str, rubric: Rubric) -> float | str | None:
    """A whole number on the scale or a special verdict that is the entire reply; None for anything else.

    `85`, `**85**`, `Score: 85`, `85/100` and `85.` are read; a sentence with a number in it is not.
    """
    reply = text.strip().strip("*`\"' ").rstrip(".")
    if reply.upper() in rubric.special_replies:
        return rubric.special_replies[reply.upper()]
    match = re.fullmatch(
        r"(?:(?:score|grade|rating|answer)\s*[:=]\s*)?([0-9]{1,4})(?:\s*/\s*([0-9]{1,4}))?", reply, re.IGNORECASE
    )
    if match is None or (match.group(2) and int(match.group(2)) != rubric.high):
        return None
    value = int(match.group(1))
    return float(value) if rubric.low <= value <= rubric.high else None


def summarise(masses: dict[str, float], rubric: Rubric, mode: Reader, replies: list[str]) -> Reading:
    """Reading from the probability of each complete reply.

    The number is the mean weighted by probability. A special reply wins when it is likelier than all numbers together.
    """
    numbers: dict[int, float] = defaultdict(float)
    special: dict[str, float] = defaultdict(float)
    for reply, mass in masses.items():
        word = reply.strip()
        if re.fullmatch(r"[0-9]{1,4}", word) and rubric.low <= int(word) <= rubric.high:
            numbers[int(word)] += mass
        elif word in rubric.special_replies:
            special[rubric.special_replies[word]] += mass
    on_numbers, on_special = sum(numbers.values()), sum(special.values())
    mass = on_numbers + on_special
    if max(on_numbers, on_special) < MIN_MASS:
        return Reading(mode, reason="low_mass", replies=replies, mass=mass)
    if on_special > on_numbers:
        return Reading(mode, special=max(special, key=lambda k: special[k]), replies=replies, mass=mass)
    mean = sum(k * p for k, p in numbers.items()) / on_numbers
    return Reading(mode, value=min(max(mean, rubric.low), rubric.high), replies=replies, mass=mass)


def _first_tokens(output: ModelOutput) -> list[TopLogprob] | None:
    """The alternatives at the first position, or None when the provider returned no log-probabilities."""
    if output.empty or output.choices[0].logprobs is None or not output.choices[0].logprobs.content:
        return None
    tops = output.choices[0].logprobs.content[0].top_logprobs
    return [t for t in tops or [] if not math.isnan(t.logprob)] or None


async def _top(grader: Model | Grader, prompt: str, prefix: str) -> list[TopLogprob] | None:
    messages: list[ChatMessage] = [ChatMessageUser(content=prompt)]
    if prefix:
        messages.append(ChatMessageAssistant(content=prefix))
    config = GenerateConfig(max_tokens=1, temperature=0, logprobs=True, top_logprobs=TOP_LOGPROBS)
    output = await grader.generate(messages, config=config)
    if output.stop_reason in ("content_filter", "model_length"):
        raise _NoReply("grader_refused" if output.stop_reason == "content_filter" else "prompt_too_long")
    return _first_tokens(output)


class _NoReply(Exception):
    """The provider gave no reply to this prompt; its message is the reason."""


def _shown(tops: list[TopLogprob]) -> list[str]:
    return [f"{t.token!r} {math.exp(t.logprob):.3f}" for t in tops[:5]]


async def _logprob(grader: Model | Grader, prompt: str, rubric: Rubric) -> Reading:
    tops = await _top(grader, prompt, "")
    if tops is None:
        return Reading("logprob", reason="no_logprobs")
    masses: dict[str, float] = defaultdict(float)
    for top in tops:
        token = top.token.strip()
        # A special reply may take several tokens; its first token stands for it when it fits only one reply.
        fits = [word for word in rubric.special_replies if token and word.startswith(token)]
        masses[fits[0] if len(fits) == 1 else token] += math.exp(top.logprob)
    return summarise(masses, rubric, "logprob", _shown(tops))


def _prices(grader: Model | Grader) -> bool:
    """Whether the grader's engine gives the probability of every allowed reply to one request."""
    return bool(getattr(getattr(getattr(grader, "model", grader), "api", None), "prices_replies", False))


async def _priced(grader: Model | Grader, prompt: str, rubric: Rubric) -> Reading:
    asked = {PRICE: {"low": rubric.low, "high": rubric.high, "special": list(rubric.special_replies)}}
    config = GenerateConfig(max_tokens=1, temperature=0, logprobs=True, top_logprobs=TOP_LOGPROBS, extra_body=asked)
    output = await grader.generate([ChatMessageUser(content=prompt)], config=config)
    if output.stop_reason == "model_length":
        raise _NoReply("prompt_too_long")
    return summarise((output.metadata or {}).get(PRICE, {}), rubric, "choice", _shown(_first_tokens(output) or []))


async def _choice(grader: Model | Grader, prompt: str, rubric: Rubric) -> Reading:
    if _prices(grader):
        return await _priced(grader, prompt, rubric)
    allowed, beginnings = allowed_replies(rubric.low, rubric.high, tuple(rubric.special_replies))
    masses: dict[str, float] = defaultdict(float)
    shown: list[str] = []

    async def walk(prefix: str, weight: float) -> bool:
        tops = await _top(grader, prompt, prefix)
        if tops is None:
            return False
        if not prefix:
            shown.extend(_shown(tops))
        children: dict[str, float] = defaultdict(float)
        for top in tops:
            text = prefix + (top.token if prefix else top.token.lstrip())
            if text != prefix and (text in beginnings or text in allowed):
                children[text] += math.exp(top.logprob)
        if prefix in allowed:  # whatever does not go on to a longer reply ends this one
            masses[prefix] += weight * max(0.0, 1 - sum(children.values()))
        deeper = []
        for text, mass in children.items():
            if text in beginnings and weight * mass >= WALK_MASS:
                deeper.append(walk(text, weight * mass))
            elif text in allowed:
                masses[text] += weight * mass
        return all(await asyncio.gather(*deeper))

    if not await walk("", 1.0):
        return Reading("choice", reason="no_logprobs", replies=shown)
    return summarise(masses, rubric, "choice", shown)


async def _number(grader: Model | Grader, prompt: str, rubric: Rubric) -> Reading:
    output = await grader.generate(prompt, config=GenerateConfig(temperature=0))
    reply = strip_reasoning(output.completion)
    parsed = parse_number(reply, rubric)
    if parsed is None:
        why = "grader_refused" if output.stop_reason == "content_filter" else "unreadable_reply"
        return Reading("number", reason=why, replies=[reply])
    return from_parsed("number", parsed, reply)


def from_parsed(mode: Reader, parsed: float | str, reply: str, quote: str | None = None) -> Reading:
    """The reading of a number or a verdict."""
    if isinstance(parsed, str):
        return Reading(mode, special=parsed, replies=[reply], quote=quote)
    return Reading(mode, value=parsed, replies=[reply], quote=quote)
