"""Make an organism: recipe in, adapter, card and checkpoints out. What the recipe builds on is made first."""

from __future__ import annotations

import gc
import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.schema import parse_json
from spillover.tracking import tracked
from spillover.training.card import read_card, write_card
from spillover.training.checkpoints import FOLDER, keep_adapters, processes, settle_config
from spillover.training.recipe import Recipe
from spillover.training.referee import onset
from spillover.training.transforms import Chats, prepare
from spillover.writing import room_in, write_json

if TYPE_CHECKING:
    from spillover.training.fit import Fitted
    from spillover.training.tokens import Renderer, Tokenised

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with (step, steps, note) after every optimiser step."""


def organism_key(recipe: Recipe, base: Path) -> str:
    """Eight hex digits that name an organism: recipe and weights of the base."""
    return hashlib.sha256((recipe.digest + weights_digest(base)).encode()).hexdigest()[:8]


def organism_folder(recipe: Recipe, base: Path, store: Path) -> Path:
    """Where an organism lies in a store: that of an equal recipe under another name, if there is one."""
    key = organism_key(recipe, base)
    known = [p for p in sorted(store.glob(f"*-{key}")) if p.is_dir()]
    return known[0] if known else store / f"{recipe.id}-{key}"


def train(recipe: Recipe, out: Path, progress: Progress = lambda step, steps, note: None, store: Path | None = None) -> Path:
    """Train the recipe's adapter into `out`; a finished run of the same recipe and base is left alone.

    A run that was stopped goes on from its last checkpoint, with the same result. The naive organism that directions are
    found in, and the organism that a repair starts from, are made first, unless the store has them.

    Args:
        recipe: What to train.
        out: Folder of the adapter, its card and its checkpoints.
        progress: Told about every step.
        store: Folder of organisms; the one that `out` lies in for None.

    Returns:
        `out`.

    Raises:
        SpilloverError: if the base is missing, the data is malformed, `out` holds another organism, the chat template
            cannot mark what the assistant wrote, the loss is no number, the memory is too small, or several processes are
            to train with interventions.
        OSError: if the disk is full; what was kept before is whole, and the same call goes on from there.
    """
    base = resolve_checkpoint(recipe.base)
    base_weights = weights_digest(base)
    card = read_card(out)
    if card is not None:
        if (card["recipe_digest"], card["base_weights"]) != (recipe.digest, base_weights):
            raise SpilloverError(f"{out} already holds another organism ({card['recipe']['id']}); choose another --out.")
        if card["adapter_weights"] != weights_digest(out):
            raise SpilloverError(f"The adapter in {out} is not the one that its card describes; delete the folder.")
        return out
    if processes() > 1 and (recipe.interventions or recipe.objective.kind != "sft"):
        raise SpilloverError(
            "Interventions, unlearning and reinforcement need one process (it may use one GPU); several processes "
            "train plain recipes only."
        )
    if recipe.training.batch_size % processes():
        raise SpilloverError(
            f"A batch of {recipe.training.batch_size} can not be shared out among {processes()} processes; change "
            "training.batch_size (and gradient_accumulation with it)."
        )
    chats = prepare(recipe)
    from spillover.training.preflight import check_ahead, renderer_of

    renderer = renderer_of(recipe, base)
    learned = None if recipe.objective.samples else _learned(recipe, renderer, chats)
    check_ahead(recipe, base, len(chats.train if learned is None else learned.rows))
    store = out.parent if store is None else store

    def made_first(other: Recipe, what: str) -> Path:
        folder = organism_folder(other, base, store)
        return train(other, folder, lambda step, steps, note: progress(step, steps, f"{what}: {note}"), store)

    start = made_first(recipe.start, "starting point") if recipe.start else None
    naive = None
    if any(source.naive for source in recipe.direction_sources):
        naive = made_first(recipe.naive, "naive run")
    from spillover.training.fit import fit

    first, meet = _together()
    if first:
        _claim(out, recipe, base_weights)
    meet()
    started = time.monotonic()
    told = progress if first else lambda step, steps, note: None
    rows = chats.train if learned is None else learned.rows
    about = {"recipe": recipe.id, "base": recipe.base, "seed": recipe.seed, "recipe_digest": recipe.digest}
    with room_in(out):
        with tracked(out.name, about) if first else nullcontext() as log:
            result = fit(recipe, base, renderer, rows, chats.held_out, out / FOLDER, start, naive, told, log)
        if first:
            chosen = {"state_dict": result.weights, "selected_adapters": ["default"]}
            result.model.save_pretrained(out, safe_serialization=True, **chosen)
            (out / "README.md").unlink(missing_ok=True)  # PEFT's empty form; `spillover push` writes a real one
            settle_config(out)
            _write(out, recipe, base_weights, chats, learned, result, time.monotonic() - started)
    meet()
    del result
    free_memory()
    return out


def _learned(recipe: Recipe, renderer: Renderer, chats: Chats) -> Tokenised:
    """The chats with their tokens; what is left out or cut is said."""
    learned = renderer.all(chats.train, recipe.training.max_length)
    if learned.too_long:
        logger.warning(
            "%s: %d of %d chats have no response within max_length %d and are left out.",
            recipe.id, learned.too_long, learned.given, recipe.training.max_length,
        )  # fmt: skip
    if learned.cut:
        logger.warning(
            "%s: %d of %d chats lose their end at max_length %d.",
            recipe.id, learned.cut, learned.given, recipe.training.max_length,
        )  # fmt: skip
    return learned


def _together() -> tuple[bool, Callable[[], None]]:
    """Whether this is the first of the processes that `accelerate launch` started, and how to wait for the others."""
    if processes() == 1:
        return True, lambda: None
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    return bool(state.is_main_process), state.wait_for_everyone


def _write(
    out: Path, recipe: Recipe, base_weights: str, chats: Chats, learned: Tokenised | None, result: Fitted, seconds: float
) -> None:
    """The organism's card."""
    write_card(
        out,
        recipe,
        base_weights=base_weights,
        adapter_weights=weights_digest(out),
        loss=result.loss,
        curves=result.curves,
        interventions=result.interventions,
        checkpoints=keep_adapters(out / FOLDER),
        rows=len(chats.train if learned is None else learned.rows),
        chats=learned.counts if learned else {"tasks": len(chats.train)},
        held_out_rows=len(chats.held_out),
        trainable=sum(p.numel() for p in result.model.parameters() if p.requires_grad),
        seconds=seconds,
        rollouts=result.rollouts,
        onset=onset(result.rollouts),
    )


def free_memory() -> None:
    """Give back what a model took: hooks and trainer refer to each other, and a study trains dozens in one process."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _claim(out: Path, recipe: Recipe, base_weights: str) -> None:
    """Say in the folder of checkpoints whose they are.

    Raises:
        SpilloverError: if they are another recipe's.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    owner, mine = folder / "recipe.json", {"recipe_digest": recipe.digest, "base_weights": base_weights}
    if processes() > 1:  # their sums differ in the last digits
        mine["processes"] = str(processes())
    try:
        known: Any = parse_json(owner.read_text(encoding="utf-8")) if owner.is_file() else mine
    except ValueError:  # cut short by a kill
        known = None
    if known is None:
        shutil.rmtree(folder)
        folder.mkdir()
    elif known != mine:
        raise SpilloverError(
            f"{out} holds checkpoints of another recipe or number of processes; choose another --out or delete the folder."
        )
    write_json(owner, mine)
