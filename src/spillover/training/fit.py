"""One training run by TRL and PEFT: responses only, with interventions around it, resumed from its last checkpoint."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, set_seed

from spillover.errors import SpilloverError
from spillover.questions.chats import Chat
from spillover.tracking import Log
from spillover.training.checkpoints import by_step, last_whole, processes
from spillover.training.finder import Finder
from spillover.training.hooks import not_finite
from spillover.training.loading import load
from spillover.training.recipe import Recipe
from spillover.training.referee import rollouts
from spillover.training.tokens import Renderer, Tokens
from spillover.training.trainer import build_trainer, dtype_of

HELD_OUT = "held_out"
"""Name of the curve of what the transform `split` holds out."""


@dataclass(frozen=True)
class Fitted:
    """A finished run: PEFT model, its gathered weights where several processes share them, losses by step, reports.

    `curves` has loss (nats) and token accuracy (share of response tokens that are the likeliest) of every set of chats that
    was watched, at every checkpoint. `rollouts` has what reinforcement sampled, by step: see
    `spillover.training.referee.rollouts`.
    """

    model: Any
    weights: dict[str, Any] | None
    loss: list[dict[str, float]]
    curves: dict[str, list[dict[str, float]]]
    interventions: list[dict[str, Any]]
    rollouts: list[dict[str, float]]


def fit(
    recipe: Recipe,
    base: Path,
    renderer: Renderer,
    chats: list[Tokens] | list[Chat],
    held_out: list[Chat],
    checkpoints: Path,
    start: Path | None,
    naive: Path | None,
    progress: Callable[[int, int, str], None],
    log: Log | None = None,
) -> Fitted:
    """Train, or go on from the last whole checkpoint in `checkpoints`.

    Args:
        recipe: Settings.
        base: Folder of the base.
        renderer: Of the base's chat template.
        chats: To learn from: with their tokens, or (reinforcement) as tasks.
        held_out: Chats of the same data that are watched.
        checkpoints: Folder for checkpoints.
        start: Adapter to go on from.
        naive: Naive adapter of the same training, where an intervention needs one.
        progress: Told (step, steps, note).
        log: Keeps the curves elsewhere, step by step.

    Raises:
        SpilloverError: see `spillover.training.train.train`.
    """
    tokenizer, limit = renderer.tokenizer, recipe.training.max_length
    watching = {HELD_OUT: held_out} if held_out else {}
    watching |= {name: source.chats(recipe.seed) for name, source in recipe.watch.items()}
    watched = {name: renderer.all(rows, limit, f"chats of '{name}'").rows for name, rows in watching.items()}

    # Of several processes accelerate puts each one's share where it belongs.
    several = processes() > 1
    own = partial(load, base, dtype=dtype_of(recipe), place="cpu" if several else None)

    def naive_folder() -> Path:
        assert naive is not None
        return naive

    try:
        finder = Finder(base, tokenizer, naive_folder, own, recipe.seed)
        interventions = [settings.build(finder) for settings in recipe.interventions]
        finder.forget()  # the memory of a second model is not ours to keep while training
        set_seed(recipe.seed)
        model = own(start, trainable=True)
        try:
            trainer = _trainer(recipe, model, renderer, chats, watched, checkpoints, interventions, progress, start is None)
        except ValueError as error:
            if "Target modules" not in str(error):  # PEFT's own type for it is new
                raise
            raise SpilloverError(f"The adapter does not fit {recipe.base}; change lora.target_modules: {error}") from error
        if log is not None:
            trainer.add_callback(Curves(log))
        if any(not i.resumes for i in interventions):
            for folder in by_step(checkpoints).values():
                shutil.rmtree(folder)
        with ExitStack() as stack:
            for intervention in interventions:
                stack.enter_context(intervention.attached(trainer.model))
            trainer.train(resume_from_checkpoint=last_whole(checkpoints))
    except (RuntimeError, MemoryError) as error:
        if "probability tensor contains" in str(error):  # of a sampler whose model has become huge
            raise SpilloverError(not_finite("model's probabilities", "no numbers", trainer.state.global_step)) from error
        # A GPU's allocator has an error of its own, the CPU's has not.
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "can't allocate memory" not in str(error):
            raise
        raise SpilloverError(
            "The memory is too small for this recipe: lower training.batch_size and raise gradient_accumulation as much, "
            "set gradient_checkpointing: true, or lower max_length."
        ) from error
    for intervention in interventions:
        intervention.after_training(trainer.model)
    history = trainer.state.log_history
    wrapped = trainer.model_wrapped
    return Fitted(
        model=trainer.accelerator.unwrap_model(wrapped) if several else trainer.model,
        weights=trainer.accelerator.get_state_dict(wrapped) if several else None,
        loss=[{"step": e["step"], "loss": round(e["loss"], 4)} for e in history if "loss" in e],
        curves={name: _curve(history, name) for name in watched},
        interventions=[i.report() for i in interventions],
        rollouts=rollouts(history),
    )


def _trainer(recipe: Recipe, model: Any, renderer: Renderer, chats: Any, watched: Any, *rest: Any) -> Any:
    """TRL's trainer for the recipe's objective."""
    if recipe.objective.samples:
        from spillover.training.reinforce import build_reinforcement

        return build_reinforcement(recipe, model, renderer, chats, *rest)
    return build_trainer(recipe, model, renderer.tokenizer, chats, watched, *rest)


class Curves(TrainerCallback):  # type: ignore[misc]
    """Hands every number that the trainer logs to a tracker."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        """After every step."""
        numbers = {k: float(v) for k, v in (logs or {}).items() if isinstance(v, int | float) and math.isfinite(v)}
        self.log(numbers, int(state.global_step))


def _curve(history: list[dict[str, float]], name: str) -> list[dict[str, float]]:
    key = f"eval_{name}_loss"
    return [
        {"step": e["step"], "loss": round(e[key], 4), "accuracy": round(e["eval_mean_token_accuracy"], 4)}
        for e in history
        if key in e
    ]
