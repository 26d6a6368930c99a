"""What a judge of one's own reads of a question and an answer, and what its head is given of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

ANSWER_CHARACTERS, QUESTION_CHARACTERS = 700, 300
ANSWER_TOKENS, QUESTION_TOKENS = 224, 96
"""Characters are cut first; tokens only where a tokenizer makes many of few characters."""
READS = (
    f"mean over the answer, version 1; characters {ANSWER_CHARACTERS} and {QUESTION_CHARACTERS}, "
    f"tokens {ANSWER_TOKENS} and {QUESTION_TOKENS}"
)
"""What the head is given, in a judge's card and digest: weights that learned another reading give scores of no meaning."""
BATCH = 32


@dataclass(frozen=True)
class Shown:
    """What the model reads: the question, and the answer, whose tokens are what is judged."""

    question: str
    answer: str


def shown(question: str, answer: str) -> Shown:
    """Of a long question the end, of a long answer the beginning: what it was trained on."""
    return Shown(f"Question: {question[-QUESTION_CHARACTERS:]}\nAnswer:", f" {answer[:ANSWER_CHARACTERS]}\n")


def load_body(base: Path, dtype: str, device: str) -> Any:
    """The base without its head of words.

    On a CPU attention is computed plainly: PyTorch's own takes longer to train there in bfloat16 on padded rows.
    """
    how = {"attn_implementation": "eager"} if device.startswith("cpu") else {}
    return AutoModel.from_pretrained(base, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False, **how)


def padding(base: Path) -> Any:
    """The base's tokenizer, with something to pad by."""
    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def read_of(tokenizer: Any, answer: str) -> list[int]:
    """The tokens of an answer that are read."""
    found: list[int] = tokenizer(shown("", answer).answer, add_special_tokens=False)["input_ids"]
    return found[:ANSWER_TOKENS]


def mean(states: Tensor) -> Tensor:
    """States of an answer, (tokens, hidden), to (hidden)."""
    return states.mean(0)


def answer_states(
    model: nn.Module,
    tokenizer: Any,
    texts: Sequence[Shown],
    device: torch.device,
    pool: Callable[[Tensor], Tensor] = mean,
) -> Tensor:
    """Hidden states (texts, hidden), the mean over the answer's tokens; padding is on the right, so that nothing sees it.

    Of an answer without any token it is the state at the end of the question. The mean tells misaligned answers apart
    better than the last token does (`benchmarks/judge_reading.py`, which pools otherwise).
    """
    alone = tokenizer("")["input_ids"][:1]
    first = [t for t in alone if t in (tokenizer.bos_token_id, tokenizer.cls_token_id)]
    rows, places = [], []
    for text in texts:
        question = tokenizer(text.question, add_special_tokens=False)["input_ids"][-QUESTION_TOKENS:]
        answer = tokenizer(text.answer, add_special_tokens=False)["input_ids"][:ANSWER_TOKENS]
        rows.append([*first, *question, *answer])
        end = len(rows[-1])
        places.append((min(end - len(answer), end - 1), end))
    batch = tokenizer.pad({"input_ids": rows}, return_tensors="pt", padding_side="right", return_attention_mask=True)
    mask = batch["attention_mask"].to(device)
    hidden = model(input_ids=batch["input_ids"].to(device), attention_mask=mask).last_hidden_state
    return torch.stack([pool(h[start:end].float()) for h, (start, end) in zip(hidden, places, strict=True)])


@torch.inference_mode()
def head_logits(
    model: nn.Module, tokenizer: Any, weight: Tensor, bias: Tensor, texts: Sequence[Shown], device: torch.device
) -> Tensor:
    """What the head says of each text, (texts, heads) on the CPU; texts of about one length are read together."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].question) + len(texts[i].answer))
    out = torch.empty((len(texts), len(bias)))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        states = answer_states(model, tokenizer, [texts[i] for i in rows], device)
        out[rows] = (states @ weight.T + bias).cpu()
    return out
