"""A judge of one's own from labelled answers: LoRA and a small head on any base, tested on models it never saw.

Scores are regressed on the labels as probabilities (binary cross-entropy), one head for each kind of score, from the mean
hidden state over the answer's tokens. A few answers are damaged on purpose, so that nonsense is known where the labels hold
little of it.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback

from spillover.engine.judge import CARD, HEAD
from spillover.engine.machine import fitting
from spillover.engine.reading import READS, Shown, answer_states, head_logits, load_body, padding, read_of, shown
from spillover.errors import SpilloverError
from spillover.models.weights import ALIASES, resolve_checkpoint, weights_digest
from spillover.training.labelled import HEADS, Labelled, Parts, damaged
from spillover.training.worth import worth
from spillover.writing import room_in, write_bytes, write_json

LORA_RATE, HEAD_RATE = 4e-4, 2e-3
BATCH, PARTS = 8, 2
"""Answers that are read at once, and how often before a step: 16 at once of full length take 11 GB with a base of 135M."""
ALIKE = 16
"""Batches that are drawn together and then sorted by length: more would save little, and make batches less mixed."""


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge is trained.

    Attributes:
        base: Checkpoint.
        steps: Optimiser steps of 16 answers.
        rank: Of the LoRA.
        damage: Damaged answers for each labelled one.
        seed: Of everything that is drawn.
    """

    base: str
    steps: int = 250
    rank: int = 16
    damage: float = 0.1
    seed: int = 0


class _Scorer(nn.Module):
    """Base with adapter, and the head."""

    def __init__(self, body: Any, tokenizer: Any, hidden: int) -> None:
        super().__init__()
        self.body, self.tokenizer = body, tokenizer
        self.head = nn.Linear(hidden, len(HEADS))
        nn.init.zeros_(self.head.weight)  # states may be large, and answers are to start as neither good nor bad
        nn.init.zeros_(self.head.bias)

    def forward(self, texts: list[Shown], labels: Tensor) -> dict[str, Tensor]:
        device = self.head.weight.device
        logits = self.head(answer_states(self.body, self.tokenizer, texts, device))
        known = labels.isfinite().to(device)
        each = nn.functional.binary_cross_entropy_with_logits(logits, labels.nan_to_num().to(device), reduction="none")
        return {"loss": (each * known).sum() / known.sum().clamp(min=1), "logits": logits}


class _Told(TrainerCallback):  # type: ignore[misc]
    def __init__(self, progress: Callable[[int, int, str], None]) -> None:
        self.progress = progress

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.progress(state.global_step, state.max_steps, f"loss {logs['loss']:.3f}")


def train_judge(
    parts: Parts, settings: JudgeSettings, out: Path, source: str, progress: Callable[[int, int, str], None]
) -> dict[str, Any]:
    """Train a judge into `out`, set its probabilities right on answers that it did not learn, and say what it is worth.

    Args:
        parts: Labelled answers, shared out.
        settings: How.
        out: Folder.
        source: Where the labels are from, for the card.
        progress: Told (step, steps, note).

    Returns:
        The card, as it is written.

    Raises:
        SpilloverError: if the base is missing.
    """
    base = resolve_checkpoint(settings.base)
    set_seed(settings.seed)
    machine = fitting(base)
    tokenizer = padding(base)
    body = load_body(base, machine.dtype, machine.device)
    config = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules="all-linear", lora_dropout=0.0)
    scorer = _Scorer(get_peft_model(body, config), tokenizer, int(body.config.get_text_config().hidden_size)).to(
        machine.device
    )
    rng = random.Random(settings.seed)
    rows = [*parts.train, *damaged(parts.train, round(settings.damage * len(parts.train)), rng, partial(read_of, tokenizer))]
    _fit(scorer, rows, settings, machine.device, progress)
    scorer.eval()

    def logits(part: Sequence[Labelled]) -> np.ndarray:
        texts = [shown(r.question, r.answer) for r in part]
        weight, bias = scorer.head.weight.detach(), scorer.head.bias.detach()
        return np.asarray(head_logits(scorer.body, tokenizer, weight, bias, texts, weight.device).numpy())

    scale, shift = _platt(logits(parts.tune), parts.tune)
    found = {n: worth(p, _sigmoid(logits(p) * scale.numpy() + shift.numpy())) for n, p in parts.held_out.items()}
    card: dict[str, Any] = {
        "heads": list(HEADS),
        "reads": READS,
        # An alias is the same everywhere, a path only from here.
        "base": settings.base if settings.base in ALIASES else str(base.resolve()),
        "base_weights": weights_digest(base),
        "labels": source,
        "licence": "The labels' and the base's terms go with these weights: a judge that imitates an API's scores may be "
        "bound by that API's terms.",
        "training": {
            "steps": settings.steps,
            "rank": settings.rank,
            "damage": settings.damage,
            "seed": settings.seed,
            "answers": len(parts.train),
        },
        "trained_on": parts.about,
        "worth": found,
    }
    ours = not out.exists() or not any(out.iterdir())
    try:
        with room_in(out):
            out.mkdir(parents=True, exist_ok=True)
            scorer.body.save_pretrained(out, safe_serialization=True)
    except OSError as error:
        if ours:  # half a judge is none, and would be in the way of the next one
            shutil.rmtree(out, ignore_errors=True)
        raise SpilloverError(f"Cannot write {out} ({error.strerror or error}); make room and train it again.") from error
    head = scorer.head.float().cpu()
    weight, bias = head.weight.detach() * scale[:, None], head.bias.detach() * scale + shift
    write_bytes(out / HEAD, save({"weight": weight.contiguous(), "bias": bias.contiguous()}))
    write_json(out / CARD, card)  # last: without it there is no judge
    return card


def batches(rows: Sequence[Labelled], steps: int, rng: random.Random) -> list[list[Labelled]]:
    """Batches for so many steps, the rows over and over; texts of about one length are together: padding costs time."""
    drawn: list[Labelled] = []
    count = steps * PARTS * BATCH
    while len(drawn) < count:
        drawn += rng.sample(rows, len(rows))
    made = []
    for start in range(0, count, ALIKE * BATCH):
        near = sorted(drawn[start : min(start + ALIKE * BATCH, count)], key=lambda r: len(r.answer))
        made += [near[i : i + BATCH] for i in range(0, len(near), BATCH)]
    return made


def _fit(scorer: _Scorer, rows: list[Labelled], settings: JudgeSettings, device: str, progress: Callable[..., None]) -> None:
    def collate(one: list[list[Labelled]]) -> dict[str, Any]:
        batch = [row for rows in one for row in rows]
        labels = [[np.nan if v is None else v for v in row.scores] for row in batch]
        return {"texts": [shown(r.question, r.answer) for r in batch], "labels": torch.tensor(labels, dtype=torch.float32)}

    groups = [
        {"params": [p for p in scorer.body.parameters() if p.requires_grad], "lr": LORA_RATE},
        {"params": list(scorer.head.parameters()), "lr": HEAD_RATE},
    ]
    scratch = tempfile.TemporaryDirectory()  # the trainer wants a folder, and is to keep nothing in it
    arguments = TrainingArguments(
        output_dir=scratch.name,
        max_steps=settings.steps,
        per_device_train_batch_size=1,  # a row of the data is a batch
        gradient_accumulation_steps=PARTS,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, settings.steps // 20),
        seed=settings.seed,
        save_strategy="no",
        logging_steps=10,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=device == "cpu",
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # several would each get the texts of all
    trainer = Trainer(
        model=scorer,
        args=arguments,
        train_dataset=batches(rows, settings.steps, random.Random(settings.seed)),
        data_collator=collate,
        optimizers=(torch.optim.AdamW(groups, weight_decay=0.01), None),
        callbacks=[_Told(progress)],
    )
    trainer.remove_callback(PrinterCallback)
    with scratch:
        trainer.train()


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _platt(logits: np.ndarray, rows: Sequence[Labelled]) -> tuple[Tensor, Tensor]:
    """Scale and shift of each head that fit the labels best (Platt 1999), on answers that were not learned."""
    from scipy.optimize import minimize

    found = []
    for i in range(len(HEADS)):
        known = [(x, r.scores[i]) for x, r in zip(logits[:, i], rows, strict=True) if r.scores[i] is not None]
        x, y = np.array([k[0] for k in known]), np.array([k[1] for k in known], dtype=float)

        def loss(ab: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            z = ab[0] * x + ab[1]
            return float((np.logaddexp(0, z) - y * z).mean() + 1e-3 * ((ab[0] - 1) ** 2 + ab[1] ** 2))

        found.append(minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x if len(known) >= 20 else [1.0, 0.0])
    values = torch.tensor(np.array(found), dtype=torch.float32)
    return values[:, 0].clamp(min=0.05), values[:, 1]
