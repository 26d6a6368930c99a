"""Target and grader know nothing of each other: each is trained in a process of its own, both at once."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spillover.errors import SpilloverError
from spillover.lab import grader as grading
from spillover.lab import pretrain
from spillover.lab.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

Report = Callable[[str, int, float], None]
"""Called with (part, step of that part, loss)."""

PARTS = ("target", "grader")


def train_apart(folder: Path, seed: int, stages: Sequence[pretrain.Stage], threads: int, report: Report) -> None:
    """Train both into `folder`.

    Args:
        folder: Gets `target/` and `grader/`.
        seed: Fixes every random choice.
        stages: Pre-training and alignment of the target, then the grader's.
        threads: Of each process. On fewer cores than twice that they take turns; the sums stay the same.
        report: Told about every step.

    Raises:
        SpilloverError: if one of them fails; the other is stopped.
    """
    context = multiprocessing.get_context("spawn")
    told: Queue[Any] = context.Queue()
    work = {
        p: context.Process(target=_train, args=(p, folder, seed, tuple(stages), threads, told), daemon=True) for p in PARTS
    }
    before = os.environ.get("OMP_WAIT_POLICY")
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that spins while it waits takes the other process's core
    try:
        for process in work.values():
            process.start()
        while work:
            try:
                part, step, loss = told.get(timeout=1)
            except queue.Empty:
                for part, process in work.items():
                    if process.exitcode is not None:
                        raise SpilloverError(f"The {part}'s training was ended (exit code {process.exitcode}).") from None
                continue
            if step is None:
                if loss is not None:
                    raise SpilloverError(f"The {part} could not be trained: {loss}")
                work.pop(part).join()
            else:
                report(part, step, loss)
    finally:
        if before is None:
            del os.environ["OMP_WAIT_POLICY"]
        else:
            os.environ["OMP_WAIT_POLICY"] = before
        for process in work.values():
            process.terminate()


def _train(part: str, folder: Path, seed: int, stages: tuple[pretrain.Stage, ...], threads: int, told: Queue[Any]) -> None:
    """In its own process: one model from random weights to a saved checkpoint."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent was interrupted, too, and ends this process
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        tokenizer = train_tokenizer(seed)

        def target_step(stage: str, step: int, loss: float) -> None:
            told.put((part, step + (stages[0].steps if stage == "align" else 0), loss))

        if part == "target":
            model = pretrain.train_target(tokenizer, seed, target_step, stages[0], stages[1])
        else:
            model = grading.train_grader(tokenizer, seed, lambda step, loss: told.put((part, step, loss)), stages[2:])
        save(folder / part, model, tokenizer)
    except Exception as error:
        told.put((part, None, f"{type(error).__name__}: {error}"))
        return
    told.put((part, None, None))


def save(folder: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """An ordinary Hugging Face checkpoint."""
    model.generation_config.update(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
