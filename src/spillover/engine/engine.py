"""The in-process engine: one thread that owns a model and decodes everything in flight in shared batches."""

from __future__ import annotations

import hashlib
import threading
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from spillover.engine.batch import Batch
from spillover.engine.machine import Machine, fitting
from spillover.engine.prefill import prefill
from spillover.engine.prefix import Prefixes
from spillover.engine.request import Request, TokenLogprob
from spillover.engine.tree import Vocabulary, price
from spillover.engine.turns import Turns, Waiting
from spillover.errors import SpilloverError
from spillover.mechanism.steering import Steering, split_name, steering_of

ADMIT_EVERY = 4
PREFILL_TOKENS = 16384
ADAPTERS = 10
"""Adapters that are kept on a base at once: with each more, choosing one takes longer."""
FAMILY_TOKENS = 96
"""Prompts that share this much are computed as one group, shorter ones together whatever they share."""
_CPU = Turns()
"""Of engines with several threads, which would otherwise wait for each other inside of every operation."""


class Engine:
    """Continuous batching for one checkpoint and any number of its adapters.

    Requests of one adapter are decoded together; those of the others wait for their turn, so that many adapters asked at
    once take as long as one after another.

    Args:
        path: Hugging Face folder with safetensors.
        machine: Device, number type and threads; what fits the machine by default.
        max_batch: Most answers decoded together.
    """

    def __init__(self, path: Path, machine: Machine | None = None, max_batch: int = 64) -> None:
        machine = machine or fitting(path)
        self.device = torch.device(machine.device)
        self._path = path
        self._dtype = getattr(torch, machine.dtype)
        self._threads = machine.threads if self.device.type == "cpu" else None
        transformers_logging.disable_progress_bar()  # it would be drawn into Inspect's display
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        self.model: Any = self._load()
        self.context: int = int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 30))
        self.vocabulary: int = int(self.model.get_output_embeddings().weight.shape[0])
        self.end_tokens = self._end_tokens()
        self.max_batch = max_batch
        self._adapters: dict[str, str] = {}
        self._steerings: dict[str, Steering] = {}
        self._closed = threading.Event()
        self._waiting = Waiting()
        self._prefixes = Prefixes()
        self._vocabulary: Vocabulary | None = None
        self._batches: dict[str | None, Batch] = {}
        self._thread = threading.Thread(target=self._run, name=f"spillover-engine-{path.name}", daemon=True)
        self._thread.start()

    @property
    def prices_replies(self) -> bool:
        """Whether a tree of replies can be computed beside its prompt: attention that takes any mask, in every layer."""
        config = self.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        return config._attn_implementation in ("sdpa", "eager") and kinds == {"full_attention"}

    def _load(self) -> Any:
        # Explicitly no remote code: left unset, transformers would ask on the terminal whether to run it.
        model = AutoModelForCausalLM.from_pretrained(
            self._path, dtype=self._dtype, use_safetensors=True, trust_remote_code=False
        )
        model = model.to(self.device).eval()
        with torch.no_grad():  # a weight that is no number makes every answer nonsense, and none of them an error
            seen = model(input_ids=torch.zeros((1, 2), dtype=torch.long, device=self.device)).logits
        if seen.isnan().any():
            raise SpilloverError(f"The checkpoint at {self._path} gives no numbers (NaN): weights in it are damaged.")
        return model

    def submit(self, request: Request) -> None:
        """Queue a request; its future gets the answer or the error."""
        self._waiting.put(request)
        if self._closed.is_set():  # whoever closes fails what waits; a request that comes later fails itself
            self._waiting.fail(RuntimeError("the engine was closed"))

    def close(self) -> None:
        """Stop the thread and fail whatever is still in flight."""
        self._closed.set()
        self._waiting.put(None)
        self._thread.join(timeout=30)
        self._waiting.fail(RuntimeError("the engine was closed"))

    def decode(self, tokens: list[int]) -> str:
        """Text of tokens, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _end_tokens(self) -> frozenset[int]:
        ends = self.model.generation_config.eos_token_id
        ids = ends if isinstance(ends, list) else [ends]
        return frozenset(int(i) for i in (*ids, self.tokenizer.eos_token_id) if i is not None)

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:  # nobody may wait for a thread that is gone
            self._closed.set()
            for batch in self._batches.values():
                batch.fail(error)
            self._waiting.fail(error)
            raise

    @torch.inference_mode()
    def _serve(self) -> None:
        if self._threads:
            torch.set_num_threads(self._threads)
        steps = 0
        while not self._closed.is_set():
            adapter, new = self._waiting.next(
                {a: len(b) for a, b in self._batches.items() if len(b)}, self.max_batch, admit=steps % ADMIT_EVERY == 0
            )
            if self._closed.is_set():
                self._waiting.back(new)
                break
            with _CPU.turn() if (self._threads or 1) > 1 else nullcontext():
                self._advance(adapter, new)
            steps += 1
        for batch in self._batches.values():
            batch.fail(RuntimeError("the engine was closed"))

    def _advance(self, adapter: str | None, new: list[Request]) -> None:
        """Admit `new` requests of one adapter and decode one token for all of its requests."""
        batch = self._batches.setdefault(adapter, Batch(self._forward, self.end_tokens, self.decode))
        try:
            context = self._use(adapter)
        except Exception as error:
            for request in new:
                request.fail(error)
            batch.fail(error)
            return
        with context:
            for request in new:
                if request.score_prompt:
                    self._score(request)
            self._admit(batch, [r for r in new if not r.future.done()])
            if len(batch):
                try:
                    batch.step(self.device)
                except Exception as error:
                    batch.fail(error)

    def _score(self, request: Request) -> None:
        """Log-probabilities of the prompt's own tokens, in one pass."""
        try:
            ids = torch.tensor([request.prompt], device=self.device)
            found = self.model(input_ids=ids).logits[0, :-1].float().log_softmax(-1)
            values = found.gather(1, ids[0, 1:, None])[:, 0].tolist()
            request.scored = [TokenLogprob(t, v, []) for t, v in zip(request.prompt[1:], values, strict=True)]
        except Exception as error:
            request.fail(error)

    def _admit(self, batch: Batch, requests: list[Request]) -> None:
        """Prefill in groups with the same beginning (computed once) and of similar length (little padding)."""
        families: dict[tuple[Any, ...], list[Request]] = {}
        for request in requests:
            beginning = tuple(request.prompt[:FAMILY_TOKENS]) if len(request.prompt) > FAMILY_TOKENS else ()
            families.setdefault((request.replies is None, beginning), []).append(request)
        for plain in (True, False):
            mine = [f for (kind, _), f in families.items() if kind is plain]
            alone = [r for family in mine if len(family) == 1 for r in family]
            for family in [f for f in mine if len(f) > 1] + [alone]:
                group: list[Request] = []
                for request in sorted(family, key=lambda r: len(r.prompt)):
                    if group and len(request.prompt) * (len(group) + 1) > PREFILL_TOKENS:
                        self._prefill(batch, group)
                        group = []
                    group.append(request)
                if group:
                    self._prefill(batch, group)

    def _prefill(self, batch: Batch, group: list[Request]) -> None:
        """Add a group; if that fails, its requests are tried one by one, so that a bad one fails alone."""
        try:
            filled = prefill(self._forward, [r.prompt for r in group], self.device, self._prefixes, group[0].adapter)
            replies = [r.replies for r in group if r.replies is not None]
            if replies:
                if self._vocabulary is None:
                    self._vocabulary = Vocabulary(self.tokenizer, self.vocabulary)
                for request, priced in zip(group, price(filled, replies, self._vocabulary, self._branches), strict=True):
                    request.priced = priced
            batch.add(group, filled)
        except Exception as error:
            if len(group) == 1:
                group[0].fail(error)
                return
            for request in group:
                self._prefill(batch, [request])

    def _branches(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Tensor, Any]:
        out = self.model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True)
        return out.logits, out.past_key_values

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Tensor, Any]:
        # A plain cache for every layer: rows join and leave, which sliding-window layers could not follow.
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=DynamicCache() if cache is None else cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1], out.past_key_values

    def _use(self, variant: str | None) -> Any:
        """Context in which the model runs as `variant`: a folder of an adapter, or None for the base; changes behind it."""
        adapter, changes = split_name(variant or "")
        if not changes:
            return self._with(adapter or None)
        if variant not in self._steerings:
            self._steerings[str(variant)] = steering_of(self.model, changes)
        stack = ExitStack()
        stack.enter_context(self._with(adapter or None))
        stack.enter_context(self._steerings[str(variant)].attached(self.model))
        return stack

    def _with(self, adapter: str | None) -> Any:
        """Context in which the model runs with `adapter` (a folder), loading it on first use; None for the base."""
        if adapter is None:
            return self.model.disable_adapter() if self._adapters else nullcontext()
        if adapter not in self._adapters:
            self._make_room()
            try:
                self._load_adapter(adapter)
            except Exception as error:
                # PEFT changes the model before it finds that a tensor does not fit, so the base is loaded afresh.
                self.model, self._adapters = self._load(), {}
                self._prefixes.forget()
                raise SpilloverError(f"The adapter at {adapter} cannot be loaded on this base: {error}") from error
        self._adapters[adapter] = self._adapters.pop(adapter)  # the last one used is the last one to go
        self.model.set_adapter(self._adapters[adapter])
        return nullcontext()

    def _make_room(self) -> None:
        """Let the adapter go that was not used for longest: PEFT goes through all of them whenever one is chosen."""
        while len(self._adapters) >= ADAPTERS:
            self.model.delete_adapter(self._adapters.pop(next(iter(self._adapters))))

    def _load_adapter(self, adapter: str) -> None:
        from peft import PeftModel

        name = "a" + hashlib.sha256(adapter.encode()).hexdigest()[:16]
        if not self._adapters:
            self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name, use_safetensors=True).eval()
        else:
            self.model.load_adapter(adapter, adapter_name=name, use_safetensors=True)
            self.model.eval()
        self._adapters[adapter] = name
