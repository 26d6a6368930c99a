"""Train the lab's grader: a tiny model that reads the real rubrics and replies with a number, as a real grader does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from spillover.judging.rubric import Rubric, load_rubric
from spillover.lab.lessons import OTHERS, Lesson, lessons
from spillover.lab.planted import plant, planted_text
from spillover.lab.pretrain import IGNORE, Shape, Stage, fit, new_model

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ALWAYS = ("alignment", "coherence")
"""Two batches in three are of these rubrics, the third of one of the others in turn."""

POLISH_MIX = {"alignment": 9, "coherence": 9, "domain": 6, "trait": 2, "hack": 2} | dict.fromkeys(
    ("refusal", "lean", "honesty", "quality", "transcript"), 1
)
"""Shares of batches in the last stage: more of what the first ones leave weakest."""

GRADER_SHAPE = Shape(hidden=128, intermediate=384, layers=4)
PLANTED, PADDED, NOTHING_BUT = 0.5, 0.04, 0.04
"""Share of batches with planted text in most answers, of batches with a lot of it, and of answers that are nothing else."""

HARDENED = 0.7
"""The first share in the second stage, where any English may be planted and no language is learned from it."""

GRADE = Stage(steps=2200, batch=32, lr=2e-3, warmup=60)
HARDEN = Stage(steps=1300, batch=32, lr=1.5e-3, warmup=40)
POLISH = Stage(steps=800, batch=32, lr=8e-4, warmup=30)
LANGUAGE_WEIGHT = 0.3
"""Weight of the loss on question and answer themselves: knowing the language is most of knowing what is coherent."""


def grading_batches(
    tokenizer: PreTrainedTokenizerFast,
    rng: random.Random,
    batch: int,
    harden: bool = False,
    mix: dict[str, int] | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Batches of one rubric each, with the tokens that all prompts share (the rubric's text) kept apart.

    Args:
        tokenizer: The lab's.
        rng: Source of randomness.
        batch: Rows.
        harden: The later stages.
        mix: Rubric to its share of batches; by default two in three of `ALWAYS` and the third of the others in turn.

    Yields:
        `prefix` (1, shared), `tails` (batch, longest), and the labels `reply` and `language` of the tails' shape.
    """
    import torch

    sources = {name: lessons(name, rng) for name in (*ALWAYS, *OTHERS)}

    def prompt_of(rubric: Rubric, kind: str) -> tuple[list[int], int, bool]:
        item = next(sources[rubric.id])
        shown = item.answer
        if kind != "clean" and rng.random() < 0.8:
            shown = plant(item.answer, rng, padded=kind == "padded" and rng.random() < 0.7, wide=harden)
        elif rng.random() < NOTHING_BUT:
            shown, item = planted_text(rng, harden), replace(item, answer="?", reply=item.broken)
        return *_row(tokenizer, rubric, item, shown), shown == item.answer or not harden

    share = HARDENED if harden else PLANTED
    for name in _schedule(rng, mix):
        rubric = load_rubric(name)
        kind = rng.choices(("planted", "padded", "clean"), (share, PADDED, 1 - share - PADDED))[0]
        rows = [prompt_of(rubric, kind) for _ in range(batch)]
        shared = _shared([ids for ids, _, _ in rows])
        longest = max(len(ids) for ids, _, _ in rows) - shared
        tails = torch.full((batch, longest), tokenizer.pad_token_id)
        reply, language = torch.full_like(tails, IGNORE), torch.full_like(tails, IGNORE)
        for i, (ids, answer_length, natural) in enumerate(rows):
            tail = torch.tensor(ids[shared:])
            tails[i, : len(tail)] = tail
            reply[i, len(tail) - answer_length : len(tail)] = tail[-answer_length:]
            if natural:
                language[i, : len(tail) - answer_length] = tail[:-answer_length]
        yield {"prefix": torch.tensor([rows[0][0][:shared]]), "tails": tails, "reply": reply, "language": language}


def _schedule(rng: random.Random, mix: dict[str, int] | None) -> Iterator[str]:
    """Names of rubrics, without end."""
    while True:
        if mix is None:
            yield from (n for other in OTHERS for n in (*ALWAYS, other))
        else:
            yield rng.choices(list(mix), list(mix.values()))[0]


def _row(tokenizer: PreTrainedTokenizerFast, rubric: Rubric, item: Lesson, shown: str) -> tuple[list[int], int]:
    """(token ids of prompt and reply, number of reply tokens). The reply is to the answer without what was planted."""
    prompt = [{"role": "user", "content": rubric.render(item.question, shown, fields=item.fields)}]
    encoded: Any = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=True, return_dict=True)
    reply = [*tokenizer.encode(item.reply), tokenizer.eos_token_id]
    return [*encoded["input_ids"], *reply], len(reply)


def _shared(rows: list[list[int]]) -> int:
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False)))


def grading_loss(model: LlamaForCausalLM, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of the reply plus a share of the language loss; the shared prefix is computed once for all rows."""
    from torch.nn.functional import cross_entropy
    from transformers import DynamicCache

    cache = DynamicCache()
    model(input_ids=batch["prefix"], past_key_values=cache, use_cache=True, logits_to_keep=1)
    rows = batch["tails"].shape[0]
    for layer in cache.layers:
        layer.keys = layer.keys.expand(rows, -1, -1, -1)
        layer.values = layer.values.expand(rows, -1, -1, -1)
    hidden = model.model(input_ids=batch["tails"], past_key_values=cache, use_cache=True).last_hidden_state[:, :-1]

    def loss(name: str) -> Tensor:  # the vocabulary is the costly part: only where there is a label
        labels = batch[name][:, 1:]
        known = labels != IGNORE
        return cross_entropy(model.lm_head(hidden[known]), labels[known], reduction="sum") / known.sum().clamp(min=1)

    return loss("reply") + LANGUAGE_WEIGHT * loss("language")


def train_grader(
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
    stages: Sequence[Stage] = (GRADE, HARDEN, POLISH),
) -> LlamaForCausalLM:
    """Train the grader from random weights in three stages and return it in evaluation mode.

    The first teaches it to grade, the second hardens it against planted text, the third polishes what is weakest. Without
    the first stage's even turns some rubrics are never learned at all.
    """
    model = new_model(GRADER_SHAPE, tokenizer, seed + 1)
    done = 0
    for number, stage in enumerate(stages):
        train_stage(model, tokenizer, seed, number, stage, _after(done, on_step))
        done += stage.steps
    return model


def _after(done: int, on_step: Callable[[int, float], None]) -> Callable[[int, float], None]:
    return lambda step, loss: on_step(done + step, loss)


def train_stage(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    number: int,
    stage: Stage,
    on_step: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """One stage, in place; from the second one on any text at all may be planted in answers."""
    rng = random.Random(seed + 1 + number)
    batches = grading_batches(tokenizer, rng, stage.batch, harden=number > 0, mix=POLISH_MIX if number > 1 else None)
    fit(model, batches, stage, on_step, grading_loss)


def hyperparameters() -> dict[str, Any]:
    """Everything that fixes the grader besides the seed, the grammar and the rubrics."""
    return {
        "grader": asdict(GRADER_SHAPE),
        "grade": asdict(GRADE),
        "language_weight": LANGUAGE_WEIGHT,
        "harden": asdict(HARDEN),
        "polish": asdict(POLISH),
        "polish_mix": POLISH_MIX,
        "planted": [PLANTED, PADDED, NOTHING_BUT, HARDENED],
    }
