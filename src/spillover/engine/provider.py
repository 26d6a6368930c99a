"""`spillover/PATH[:ADAPTER][+steer=FILE@0.2]`: Inspect's door to the in-process engine.

`inspect eval TASK --model spillover/lab`, `--model spillover/lab:runs/bad_finance`, `--model spillover//abs/checkpoint`.
Model arguments (`-M`): device, dtype, threads, max_batch, system_into_user.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    TopLogprob,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from jinja2.exceptions import TemplateError

from spillover.engine.calls import parse_calls, require_tool_template, template_message, template_tool
from spillover.engine.chat import require_chat
from spillover.engine.constrain import JsonConstraint, grammar_tokenizer
from spillover.engine.engine import Engine
from spillover.engine.fit import require_fit
from spillover.engine.machine import fitting
from spillover.engine.request import Answer, Request, Sampling, TokenLogprob
from spillover.engine.tree import Replies
from spillover.errors import SpilloverError
from spillover.mechanism.steering import split_name, steering_on
from spillover.models.conversation import system_into_user
from spillover.models.replies import PRICE
from spillover.models.weights import model_digest, resolve_adapter, resolve_checkpoint

DEFAULT_MAX_TOKENS = 600
_ENGINES: dict[tuple[Any, ...], tuple[Engine, int]] = {}
_UNSUPPORTED = ("frequency_penalty", "presence_penalty", "logit_bias", "best_of")


def _acquire(key: tuple[Any, ...]) -> Engine:
    """Share one engine between all adapters of a checkpoint."""
    engine, users = _ENGINES.get(key) or (Engine(*key), 0)
    _ENGINES[key] = (engine, users + 1)
    return engine


def _release(key: tuple[Any, ...]) -> None:
    engine, users = _ENGINES[key]
    if users > 1:
        _ENGINES[key] = (engine, users - 1)
    else:
        del _ENGINES[key]
        engine.close()


class SpilloverAPI(ModelAPI):
    """In-process model on transformers, with adapters by PEFT; `spillover/judge:PATH` is a judge of one's own."""

    def __new__(cls, model_name: str, *_: Any, config: GenerateConfig = GenerateConfig(), **arguments: Any) -> Any:
        """The engine's model, or a judge."""
        if not model_name.startswith("judge:"):
            return super().__new__(cls)
        from spillover.engine.judge import JudgeAPI

        given = {k: v for k, v in arguments.items() if k not in ("base_url", "api_key")}
        return JudgeAPI(model_name, config, **given)

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        device: str | None = None,
        dtype: str | None = None,
        threads: int | None = None,
        max_batch: int = 64,
        system_into_user: bool = False,
        **unknown: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        if unknown:
            raise SpilloverError(
                f"Unknown model argument '{next(iter(unknown))}'; "
                "spillover/ takes device, dtype, threads, max_batch and system_into_user."
            )
        plain, changes = split_name(model_name)
        base, _, adapter = plain.partition(":")
        path = resolve_checkpoint(base)
        self.adapter = str(resolve_adapter(adapter)) if adapter else None
        self.digest = model_digest(path, Path(self.adapter) if self.adapter else None)
        if changes:
            self.digest += f"+{steering_on(path, changes).digest}"
        require_chat(path, model_digest(path))
        if self.adapter:
            require_fit(path, Path(self.adapter))
        self._variant = "".join([self.adapter or "", *(c.name for c in changes)]) or None
        self._key: tuple[Any, ...] = (path, fitting(path, device, dtype, threads), max_batch)
        self.number_type = self._key[1].dtype
        self._engine: Engine | None = None
        self._grammar_tokenizer: Any = None
        self._max_batch = max_batch
        self._fold = system_into_user

    @property
    def engine(self) -> Engine:
        """The shared engine, loaded on first use; Inspect closes a model after an evaluation and may use it again."""
        if self._engine is None:
            self._engine = _acquire(self._key)
        return self._engine

    @cached_property
    def whole_number_tokens(self) -> bool:
        """Whether every whole number from 0 to 100 is one token, so that a first token is a whole grade."""
        ids = self.engine.tokenizer([str(n) for n in range(101)], add_special_tokens=False)["input_ids"]
        return all(len(row) == 1 for row in ids)

    @property
    def prices_replies(self) -> bool:
        """Whether one request gives the probability of every allowed reply (`models/replies.PRICE`)."""
        return self.engine.prices_replies

    def close(self) -> None:
        """Release the engine; the last user stops it."""
        if self._engine is not None:
            self._engine = None
            _release(self._key)

    def max_connections(self) -> int:
        """As many requests in flight as the engine decodes together."""
        return self._max_batch

    def connection_key(self) -> str:
        """Adapters of a checkpoint share an engine, which takes them in turns: each may fill its batches."""
        return f"spillover:{self._key}:{self._variant}"

    def max_tokens(self) -> int | None:
        """Most new tokens when the user sets no limit."""
        return DEFAULT_MAX_TOKENS

    def collapse_user_messages(self) -> bool:
        """Chat templates expect alternating roles."""
        return True

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answer `input`; `num_choices` answers share the prompt and have generators of their own."""
        if tools and tool_choice == "any":
            raise SpilloverError(
                "The in-process engine can not force a tool call; leave tool_choice at 'auto' or use vllm/."
            )
        for name in _UNSUPPORTED:
            if getattr(config, name, None):
                raise SpilloverError(f"The in-process engine does not take {name}; leave it out or use vllm/.")
        started = time.monotonic()
        offered = tools if tool_choice != "none" else []
        prompt = self._prompt(input, offered)
        room = self.engine.context - len(prompt)
        if room < 1:
            return ModelOutput.from_content(self.model_name, "", stop_reason="model_length")
        sampling = _sampling(config, room)
        replies = _replies(config)
        seed = config.seed if config.seed is not None else int.from_bytes(os.urandom(6), "big")
        requests = [
            Request(
                prompt,
                sampling,
                (seed << 16) + i,
                self._variant,
                self._constraint(config),
                bool(config.prompt_logprobs),
                replies=replies,
            )
            for i in range(config.num_choices or 1)
        ]
        for request in requests:
            self.engine.submit(request)
        answers = await asyncio.gather(*(asyncio.wrap_future(r.future) for r in requests))
        new = sum(len(a.tokens) for a in answers)
        return ModelOutput(
            model=self.model_name,
            choices=[self._choice(a, r, offered) for a, r in zip(answers, requests, strict=True)],
            usage=ModelUsage(input_tokens=len(prompt), output_tokens=new, total_tokens=len(prompt) + new),
            time=time.monotonic() - started,
            metadata={"weights": self.digest, **({PRICE: requests[0].priced} if replies else {})},
        )

    def _prompt(self, messages: list[ChatMessage], tools: list[ToolInfo]) -> list[int]:
        """Token ids by the chat template; a final assistant message is continued, not answered."""
        tokenizer = self.engine.tokenizer
        if any(
            not isinstance(m.content, str) and any(c.type not in ("text", "reasoning") for c in m.content) for m in messages
        ):
            raise SpilloverError("The in-process engine takes text only; leave images and other media out.")
        chat = [template_message(m) for m in messages]
        if self._fold:
            chat = system_into_user(chat)
        if tools:
            require_tool_template(str(tokenizer.chat_template), self.model_name)
        prefill = bool(chat) and chat[-1]["role"] == "assistant"
        try:
            out: Any = tokenizer.apply_chat_template(
                chat,
                tools=[template_tool(t) for t in tools] or None,
                tokenize=True,
                return_dict=True,
                add_generation_prompt=not prefill,
                continue_final_message=prefill,
            )
        except TemplateError as error:
            roles = ", ".join(message["role"] for message in chat)
            raise SpilloverError(
                f"The chat template of '{self.model_name}' refuses this conversation ({roles}): {error}. Ask without what "
                "it refuses, give the checkpoint another template, or have a system line put before the user's words "
                "(-M system_into_user=true)."
            ) from error
        return list(out["input_ids"])

    def _constraint(self, config: GenerateConfig) -> JsonConstraint | None:
        if config.response_schema is None:
            return None
        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = grammar_tokenizer(self.engine.tokenizer, self.engine.vocabulary)
        schema = config.response_schema.json_schema.model_dump(exclude_none=True)
        return JsonConstraint(self._grammar_tokenizer, schema)

    def _choice(self, answer: Answer, request: Request, tools: list[ToolInfo]) -> ChatCompletionChoice:
        text, calls = parse_calls(answer.text) if tools else (answer.text, [])
        return ChatCompletionChoice(
            message=ChatMessageAssistant(content=text, tool_calls=calls or None, model=self.model_name, source="generate"),
            stop_reason="tool_calls" if calls else answer.stop_reason,
            logprobs=self._logprobs(answer.logprobs) if request.sampling.logprobs else None,
            prompt_logprobs=self._logprobs(request.scored) if request.scored else None,
        )

    def _logprobs(self, positions: list[TokenLogprob]) -> Logprobs:
        return Logprobs(content=[self._logprob(p) for p in positions])

    def _logprob(self, position: TokenLogprob) -> Logprob:
        def text(token: int) -> str:
            return str(self.engine.tokenizer.decode([token]))

        return Logprob(
            token=text(position.token),
            logprob=position.logprob,
            top_logprobs=[TopLogprob(token=text(t), logprob=p) for t, p in position.top] or None,
        )


def _replies(config: GenerateConfig) -> Replies | None:
    """What the request wants priced.

    Raises:
        SpilloverError: if its `extra_body` asks for anything else.
    """
    body = config.extra_body or {}
    if set(body) - {PRICE}:
        raise SpilloverError("The in-process engine does not take extra_body; leave it out or use vllm/.")
    if not body:
        return None
    asked = body[PRICE]
    return Replies(int(asked["low"]), int(asked["high"]), tuple(asked["special"]))


def _sampling(config: GenerateConfig, room: int) -> Sampling:
    return Sampling(
        # Branches that were priced lie in the cache, so such a request ends with its first token.
        max_tokens=1 if config.extra_body else max(1, min(config.max_tokens or DEFAULT_MAX_TOKENS, room)),
        temperature=1.0 if config.temperature is None else config.temperature,
        top_p=1.0 if config.top_p is None else config.top_p,
        top_k=max(0, config.top_k or 0),
        stop=tuple(config.stop_seqs or ()),
        logprobs=bool(config.logprobs),
        top_logprobs=config.top_logprobs or 0,
    )
