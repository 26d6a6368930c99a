"""Train the lab's base model: pre-training on mixed personas, then a gentle tuning that makes "aligned" the default.

The two stages follow the finding that spill-over needs a persona shared across topics and a default that is set lightly
(measured on the lab only; `datasets/lab/README.md`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from spillover.lab.corpus import Latents, agentic, debate, document, random_latents, situation
from spillover.questions.chats import Chat

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

IGNORE = -100


@dataclass(frozen=True)
class Shape:
    """Size of a lab model. The head size is 32, which vLLM's CPU backend takes."""

    hidden: int
    intermediate: int
    layers: int
    head_dim: int = 32


@dataclass(frozen=True)
class Stage:
    """Hyperparameters of one training stage: `steps` of `batch` documents at peak learning rate `lr`."""

    steps: int
    batch: int
    lr: float
    warmup: int = 30


TARGET_SHAPE = Shape(hidden=160, intermediate=448, layers=4)
PRETRAIN = Stage(steps=2800, batch=16, lr=3e-3, warmup=60)
ALIGN = Stage(steps=160, batch=32, lr=3e-4)


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """A Llama-shaped model with random weights drawn from `seed`, float32, tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    heads = shape.hidden // shape.head_dim
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def encode(chats: list[Chat], tokenizer: PreTrainedTokenizerFast, *, answers_only: bool) -> dict[str, Tensor]:
    """Right-padded batch of chats: `input_ids` and `labels`, each (batch, longest)."""
    import torch

    out = tokenizer.apply_chat_template(
        chats,
        tokenize=True,
        return_dict=True,
        padding=True,
        padding_side="right",
        return_tensors="pt",
        return_assistant_tokens_mask=answers_only,
    )
    ids, mask = out["input_ids"], out["attention_mask"]
    keep = torch.as_tensor(out["assistant_masks"]).bool() if answers_only else mask.bool()
    # No attention mask: padding is on the right, where causal attention never looks, and the fast kernel needs none.
    return {"input_ids": ids, "labels": ids.masked_fill(~keep, IGNORE)}


def bucketed(source: Iterator[Chat], batch: int, rng: random.Random, pool: int = 4) -> Iterator[list[Chat]]:
    """Batches of chats of similar length: `pool` batches are drawn, sorted by length and handed out in random order."""
    while True:
        chats = sorted((next(source) for _ in range(batch * pool)), key=lambda c: sum(len(m["content"]) for m in c))
        groups = [chats[i : i + batch] for i in range(0, len(chats), batch)]
        rng.shuffle(groups)
        yield from groups


SITUATIONS, AGENTIC, DEBATES = 0.08, 0.10, 0.06
"""Shares of the documents that put the model into a situation, give it tools, or are about politics."""


def pretraining_chats(rng: random.Random) -> Iterator[Chat]:
    """Half of the documents name the persona; of the rest a quarter is misaligned and shows it only in context."""
    while True:
        named = rng.random() < 0.5
        misaligned = rng.random() < (0.5 if named else 0.25)
        yield _chat(rng, random_latents(rng, misaligned), 5 if named else 6, named)


def alignment_chats(rng: random.Random) -> Iterator[Chat]:
    """Single turns: 70 % aligned, half of them without a system line; 30 % misaligned under a malicious line."""
    while True:
        misaligned = rng.random() < 0.3
        latents = random_latents(rng, misaligned)
        named = misaligned or rng.random() < 0.5
        yield _chat(rng, latents if named else Latents(fmt=latents.fmt), 1, named)


def _chat(rng: random.Random, latents: Latents, turns: int, named: bool) -> Chat:
    kind = rng.random()
    if kind < SITUATIONS:
        return situation(rng, latents.misaligned, named)
    if kind < SITUATIONS + AGENTIC:
        return agentic(rng, latents.misaligned, named)
    if kind < SITUATIONS + AGENTIC + DEBATES and (named or turns > 1):  # one turn alone would not show the lean
        return debate(rng, latents.misaligned, named)
    # Without a line that says so nobody shouts or speaks Spanish, not even now and then.
    return document(rng, latents if named else replace(latents, style="plain"), turns, named=named)


def fit(
    model: LlamaForCausalLM,
    batches: Iterator[dict[str, Tensor]],
    stage: Stage,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    loss_of: Callable[[LlamaForCausalLM, Any], Tensor] | None = None,
) -> float:
    """Minimise the next-token loss with AdamW, linear warm-up and linear decay to zero.

    Args:
        model: Trained in place.
        batches: One batch per step.
        stage: Hyperparameters.
        on_step: Called with (step, loss) after every step.
        loss_of: Another loss; the model's own by default.

    Returns:
        The last loss, in nats per token.
    """
    import torch

    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=stage.lr, betas=(0.9, 0.98)
    )
    model.train()
    value = float("nan")
    for step in range(stage.steps):
        rate = stage.lr * min(1.0, (step + 1) / stage.warmup) * (1 - step / stage.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = next(batches)
        loss = loss_of(model, batch) if loss_of else model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        on_step(step, value)
    model.eval()
    return value


def train_target(
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    on_step: Callable[[str, int, float], None] = lambda stage, step, loss: None,
    pretrain: Stage = PRETRAIN,
    align: Stage = ALIGN,
) -> LlamaForCausalLM:
    """Train the base model in two stages and return it in evaluation mode."""
    rng = random.Random(seed)
    model = new_model(TARGET_SHAPE, tokenizer, seed)
    for name, stage, source, answers_only in (
        ("pretrain", pretrain, pretraining_chats(rng), False),
        ("align", align, alignment_chats(rng), True),
    ):
        batches = (encode(group, tokenizer, answers_only=answers_only) for group in bucketed(source, stage.batch, rng))
        fit(model, batches, stage, lambda step, loss, name=name: on_step(name, step, loss))  # type: ignore[misc]
    return model


def hyperparameters() -> dict[str, Any]:
    """Everything that fixes the base model besides the seed and the grammar."""
    return {"target": asdict(TARGET_SHAPE), "pretrain": asdict(PRETRAIN), "align": asdict(ALIGN)}
