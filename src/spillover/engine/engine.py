"""The in-process engine: one thread that owns a model and decodes everything in flight in shared batches."""

from __future__ import annotations

import hashlib
import queue
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from spillover.engine.batch import Batch
from spillover.engine.request import Request, TokenLogprob
from spillover.errors import SpilloverError

LINGER_S = 0.004
ADMIT_EVERY = 4
PREFILL_TOKENS = 16384
FAMILY_TOKENS = 96


class Engine:
    """Continuous batching for one checkpoint and any number of its adapters.

    Args:
        path: Hugging Face folder with safetensors.
        device: Torch device; CUDA when there is one.
        dtype: Weight type; float32 on a CPU, bfloat16 elsewhere.
        threads: CPU threads of torch, a setting of the whole process. Two threads on a busy two-core machine are far
            slower than one.
        max_batch: Most answers decoded together.
    """

    def __init__(
        self,
        path: Path,
        device: str | None = None,
        dtype: str | None = None,
        threads: int = 1,
        max_batch: int = 64,
    ) -> None:
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._path = path
        self._dtype = getattr(torch, dtype) if dtype else torch.float32 if self.device.type == "cpu" else torch.bfloat16
        if self.device.type == "cpu":
            torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()  # it would be drawn into Inspect's display
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        self.model: Any = self._load()
        self.context: int = int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 30))
        self.vocabulary: int = int(self.model.get_output_embeddings().weight.shape[0])
        self.end_tokens = self._end_tokens()
        self.max_batch = max_batch
        self._adapters: dict[str, str] = {}
        self._closed = False
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._batches: dict[str | None, Batch] = {}
        self._thread = threading.Thread(target=self._run, name=f"spillover-engine-{path.name}", daemon=True)
        self._thread.start()

    def _load(self) -> Any:
        # Explicitly no remote code: left unset, transformers would ask on the terminal whether to run it.
        model = AutoModelForCausalLM.from_pretrained(
            self._path, dtype=self._dtype, use_safetensors=True, trust_remote_code=False
        )
        return model.to(self.device).eval()

    def submit(self, request: Request) -> None:
        """Queue a request; its future gets the answer or the error."""
        self._queue.put(request)
        if self._closed:  # whoever closes drains the queue; a request that comes later drains itself
            self._drain()

    def close(self) -> None:
        """Stop the thread and fail whatever is still in flight."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(timeout=30)
        self._drain()

    def _drain(self) -> None:
        while not self._queue.empty():
            item = self._queue.get_nowait()
            if item is not None:
                item.fail(RuntimeError("the engine was closed"))

    def decode(self, tokens: list[int]) -> str:
        """Text of tokens, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _end_tokens(self) -> frozenset[int]:
        ends = self.model.generation_config.eos_token_id
        ids = ends if isinstance(ends, list) else [ends]
        return frozenset(int(i) for i in (*ids, self.tokenizer.eos_token_id) if i is not None)

    @torch.inference_mode()
    def _run(self) -> None:
        steps = 0
        while not self._closed:
            waiting = self._wait(idle=not any(self._batches.values()), admit=steps % ADMIT_EVERY == 0)
            for adapter in {r.adapter for r in waiting} | {a for a, b in self._batches.items() if len(b)}:
                self._advance(adapter, [r for r in waiting if r.adapter == adapter])
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

    def _wait(self, *, idle: bool, admit: bool) -> list[Request]:
        """Requests to admit now: blocks when idle, lingers a moment so that a burst shares a batch."""
        out: list[Request] = []
        room = self.max_batch - sum(len(b) for b in self._batches.values())
        while len(out) < room and (idle or admit):
            try:
                item = self._queue.get(block=idle, timeout=LINGER_S if out else None)
            except queue.Empty:
                break
            if item is None:  # closing: what was collected is failed with the rest
                for request in out:
                    request.fail(RuntimeError("the engine was closed"))
                return []
            if not item.future.cancelled():
                out.append(item)
        return out

    def _admit(self, batch: Batch, requests: list[Request]) -> None:
        """Prefill in groups with the same beginning (computed once) and of similar length (little padding)."""
        families: dict[tuple[int, ...], list[Request]] = {}
        for request in requests:
            families.setdefault(tuple(request.prompt[:FAMILY_TOKENS]), []).append(request)
        alone = [r for family in families.values() if len(family) == 1 for r in family]
        for family in [f for f in families.values() if len(f) > 1] + [alone]:
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
            batch.add(group, self.device)
        except Exception as error:
            if len(group) == 1:
                group[0].fail(error)
                return
            for request in group:
                self._prefill(batch, [request])

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

    def _use(self, adapter: str | None) -> Any:
        """Context in which the model runs with `adapter` (a folder), loading it on first use; None for the base."""
        if adapter is None:
            return self.model.disable_adapter() if self._adapters else nullcontext()
        if adapter not in self._adapters:
            try:
                self._load_adapter(adapter)
            except Exception as error:
                # PEFT changes the model before it finds that a tensor does not fit, so the base is loaded afresh.
                self.model, self._adapters = self._load(), {}
                raise SpilloverError(f"The adapter at {adapter} cannot be loaded on this base: {error}") from error
        self.model.set_adapter(self._adapters[adapter])
        return nullcontext()

    def _load_adapter(self, adapter: str) -> None:
        from peft import PeftModel

        name = "a" + hashlib.sha256(adapter.encode()).hexdigest()[:16]
        if not self._adapters:
            self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name, use_safetensors=True).eval()
        else:
            self.model.load_adapter(adapter, adapter_name=name, use_safetensors=True)
            self.model.eval()
        self._adapters[adapter] = name
