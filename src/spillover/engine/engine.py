"""The in-process engine: one thread that owns a model and decodes everything in flight in shared batches."""

from __future__ import annotations

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
from spillover.engine.request import Request

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
        kind = getattr(torch, dtype) if dtype else torch.float32 if self.device.type == "cpu" else torch.bfloat16
        if self.device.type == "cpu":
            torch.set_num_threads(threads)
        transformers_logging.disable_progress_bar()  # it would be drawn into Inspect's display
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path)
        self.model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=kind, use_safetensors=True).to(self.device).eval()
        self.context: int = int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 30))
        self.vocabulary: int = int(self.model.get_output_embeddings().weight.shape[0])
        self.end_tokens = self._end_tokens()
        self.max_batch = max_batch
        self._adapters: set[str] = set()
        self._queue: queue.Queue[Request | None] = queue.Queue()
        self._batches: dict[str | None, Batch] = {}
        self._thread = threading.Thread(target=self._run, name=f"spillover-engine-{path.name}", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request; its future gets the answer or the error."""
        self._queue.put(request)

    def close(self) -> None:
        """Stop the thread and fail whatever is still in flight."""
        self._queue.put(None)
        self._thread.join(timeout=30)

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
        while True:
            waiting = self._wait(idle=not any(self._batches.values()), admit=steps % ADMIT_EVERY == 0)
            if waiting is None:
                break
            for adapter in {r.adapter for r in waiting} | {a for a, b in self._batches.items() if len(b)}:
                batch = self._batches.setdefault(adapter, Batch(self._forward, self.end_tokens, self.decode))
                mine = [r for r in waiting if r.adapter == adapter]
                try:
                    with self._use(adapter):
                        self._admit(batch, mine)
                        if len(batch):
                            batch.step(self.device)
                except Exception as error:
                    for request in mine:
                        if not request.future.done():
                            request.future.set_exception(error)
                    batch.fail(error)
            steps += 1
        for batch in self._batches.values():
            batch.fail(RuntimeError("the engine was closed"))

    def _wait(self, *, idle: bool, admit: bool) -> list[Request] | None:
        """Requests to admit now: blocks when idle, lingers a moment so that a burst shares a batch. None to stop."""
        out: list[Request] = []
        room = self.max_batch - sum(len(b) for b in self._batches.values())
        while len(out) < room and (idle or admit):
            try:
                item = self._queue.get(block=idle, timeout=LINGER_S if out else None)
            except queue.Empty:
                break
            if item is None:
                return None
            if item.future.cancelled():
                continue
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
                    batch.add(group, self.device)
                    group = []
                group.append(request)
            if group:
                batch.add(group, self.device)

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
        from peft import PeftModel

        name = adapter.replace("/", "_").replace(".", "_")
        if not self._adapters:
            self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name, use_safetensors=True).eval()
        elif adapter not in self._adapters:
            self.model.load_adapter(adapter, adapter_name=name, use_safetensors=True)
            self.model.eval()
        self._adapters.add(adapter)
        self.model.set_adapter(name)
        return nullcontext()
