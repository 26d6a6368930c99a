"""Loss along a path of adapters, on chats that were held out of what its ends learned: is there a barrier between them?

Two networks that a straight line joins without a rise in loss lie in one basin ("linear mode connectivity", Frankle et al.
2020, arXiv 1912.05671). The barrier is the largest rise over the line between the losses of the two ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import nn

from spillover.declared import Declared, parse
from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.questions.chats import Chat
from spillover.questions.held_out import prompt_of
from spillover.training.card import read_card
from spillover.training.kinds import load_plugins
from spillover.training.loading import load_to_read
from spillover.training.preflight import tokenizer_of
from spillover.training.sources import Source
from spillover.training.tokens import Renderer, Tokens
from spillover.training.transforms import Transform, prepare

ROWS, FEWEST, LIMIT, BATCH = 128, 4, 2048, 8
"""Chats of a task, at most and at least; most tokens of one, and how many are read at once."""
OTHER_SEED = 1_000_003
"""Added to a recipe's seed: what a source without an end then gives was drawn apart from what was learned."""


def held_out_of(organisms: Mapping[str, Path]) -> dict[str, list[Chat]]:
    """Chats of the data that each organism was made from, of whose prompts none of them learned one.

    What a recipe held out (the transform `split`), or what its source draws anew.

    Args:
        organisms: Name to folder.

    Raises:
        SpilloverError: if there is no card, the data is not what it was, or too little of it was not learned.
    """
    learned: set[str] = set()
    offered: dict[str, list[Chat]] = {}
    for name, folder in organisms.items():
        prompts, offered[name] = _data_of(folder)
        learned |= prompts
    out = {name: [c for c in chats if prompt_of(c) not in learned][:ROWS] for name, chats in offered.items()}
    for name, chats in out.items():
        if len(chats) < FEWEST:
            raise SpilloverError(
                f"Of the data of {organisms[name]} only {len(chats)} chats have prompts that were not learned; give others "
                "with --chats, or train with the transform `split`."
            )
    return out


def _data_of(organism: Path) -> tuple[set[str], list[Chat]]:
    """Prompts that were learned, and chats that may not have been."""
    card = read_card(organism)
    if card is None:
        raise SpilloverError(f"{organism} has no card that says what it learned; give its chats with --chats.")
    load_plugins()
    written = {key: _given(card["recipe"][key]) for key in ("data", "transforms", "seed")}
    recipe = parse(_Data, written, f"the recipe in {organism}", {"folder": organism})
    # A digest is written with the settings when they are read: that of the data now is that of the data then, or it changed.
    now, then = recipe.model_dump(mode="json")["data"], card["recipe"]["data"]
    changed = [key for key in ("sha256", "questions_digest") if now.get(key) != then.get(key)]
    if changed:
        raise SpilloverError(f"The data that {organism} learned from is not what it was then; give chats with --chats.")
    chats = prepare(recipe)
    held = {prompt_of(chat) for chat in chats.held_out}
    # Before and after the transforms, which may put words into a prompt.
    learned = {prompt_of(c) for c in (*recipe.data.chats(recipe.seed), *chats.train)} - held
    if not held and recipe.data.endless:
        return learned, recipe.data.model_copy(update={"rows": 0}).chats(recipe.seed + OTHER_SEED, 8 * ROWS)
    return learned, chats.held_out


class _Data(Declared):
    """See `spillover.training.transforms.Data`."""

    data: Source
    transforms: tuple[Transform, ...] = ()
    seed: int = 0


def _given(raw: Any) -> Any:
    """Settings of a card as a recipe has them: without what every kind is written with, and without digests of files."""
    if isinstance(raw, list):
        return [_given(value) for value in raw]
    if not isinstance(raw, dict):
        return raw
    kind = next((f.kinds[raw[f.key]] for f in (Source, Transform) if raw.get(f.key) in f.kinds), None)
    if kind is None:
        return {key: _given(value) for key, value in raw.items()}
    names = {field.alias or name for name, field in kind.model_fields.items()}
    kept = {k: _given(v) for k, v in raw.items() if k in names and (k not in kind.blank or v != kind.blank[k])}
    return {kind.key: raw[kind.key], **kept}


def path_losses(
    base: str,
    adapters: Sequence[Path],
    tasks: Mapping[str, Sequence[Chat]],
    advance: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> list[dict[str, float]]:
    """Mean loss (nats a response token) of each adapter on each task's chats.

    Args:
        base: Checkpoint of them all.
        adapters: Folders, in the order of the path.
        tasks: Name to chats.
        advance: Told (adapters done, all, name).

    Raises:
        SpilloverError: for an adapter that does not fit, or chats that the template refuses.
    """
    root = resolve_checkpoint(base)
    for adapter in adapters:
        require_fit(root, adapter)
    renderer = Renderer(tokenizer_of(root), base)
    rows = {name: renderer.all(chats, LIMIT, f"chats of {name}").rows for name, chats in tasks.items()}
    model, out = load_to_read(root), []
    for done, adapter in enumerate(adapters):
        advance(done, len(adapters), adapter.name)
        tuned = PeftModel.from_pretrained(model, adapter, use_safetensors=True).eval()
        out.append({name: _loss(tuned, its) for name, its in rows.items()})
        model = tuned.unload()
    advance(len(adapters), len(adapters), "done")
    return out


def barrier(at: Sequence[float], losses: Sequence[float]) -> float:
    """Largest rise of a path's loss over the straight line between its ends; 0 for none, NaN if a loss is no number."""
    if not all(map(math.isfinite, losses)):
        return math.nan
    first, last = at[0], at[-1]
    line = [(1 - (t - first) / (last - first)) * losses[0] + (t - first) / (last - first) * losses[-1] for t in at]
    return max(0.0, *(loss - straight for loss, straight in zip(losses, line, strict=True)))


@torch.no_grad()
def _loss(model: nn.Module, rows: Sequence[Tokens]) -> float:
    device = next(model.parameters()).device
    total, count = 0.0, 0
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        width = max(len(row.ids) for row in batch)
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for i, row in enumerate(batch):
            size = len(row.ids)
            ids[i, :size], labels[i, :size], mask[i, :size] = torch.tensor(row.ids), torch.tensor(row.labels), 1
        logits = model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits[:, :-1]
        wanted = labels[:, 1:].to(device)
        kept = wanted != -100
        total += float(nn.functional.cross_entropy(logits[kept].float(), wanted[kept], reduction="sum"))
        count += int(kept.sum())
    return total / max(1, count)
