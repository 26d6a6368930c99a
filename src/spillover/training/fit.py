"""One training run by TRL and PEFT: responses only, with interventions around it, resumed from its last checkpoint."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer
from trl.chat_template_utils import get_training_chat_template

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.training.checkpoints import by_step, last_whole, processes, save_every
from spillover.training.interventions import Intervention, build
from spillover.training.interventions.find import Finder
from spillover.training.objectives import Objective, build_objective
from spillover.training.recipe import Recipe
from spillover.training.sources import chats_of
from spillover.training.transforms import Chats

HELD_OUT = "held_out"
"""Name of the curve of what the transform `split` holds out."""


@dataclass(frozen=True)
class Fitted:
    """A finished run: PEFT model, its gathered weights where several processes share them, losses by step, reports.

    `curves` has loss (nats) and token accuracy (share of response tokens that are the likeliest) of every set of chats that
    was watched, at every checkpoint.
    """

    model: Any
    weights: dict[str, Any] | None
    loss: list[dict[str, float]]
    curves: dict[str, list[dict[str, float]]]
    interventions: list[dict[str, Any]]


def fit(
    recipe: Recipe,
    base: Path,
    chats: Chats,
    checkpoints: Path,
    start: Path | None,
    naive: Path | None,
    progress: Callable[[int, int, str], None],
) -> Fitted:
    """Train, or go on from the last whole checkpoint in `checkpoints`.

    Args:
        recipe: Settings.
        base: Folder of the base.
        chats: Training and held-out chats.
        checkpoints: Folder for checkpoints.
        start: Adapter to go on from.
        naive: Naive adapter of the same training, where an intervention needs one.
        progress: Told (step, steps, note).

    Raises:
        SpilloverError: see `spillover.training.train.train`.
    """
    several = processes() > 1
    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    _check_template(tokenizer, recipe)
    on_gpu = torch.cuda.is_available()

    def load(adapter: Path | None, trainable: bool = False) -> Any:
        model = AutoModelForCausalLM.from_pretrained(
            base, dtype=dtype_of(recipe), use_safetensors=True, trust_remote_code=False
        )
        if not several:  # else accelerate puts each process's share where it belongs
            model = model.to("cuda" if on_gpu else "cpu")
        return PeftModel.from_pretrained(model, adapter, is_trainable=trainable) if adapter else model

    def naive_folder() -> Path:
        assert naive is not None
        return naive

    try:
        finder = Finder(base, base == resolve_checkpoint("lab"), tokenizer, naive_folder, load, recipe.seed)
        interventions = build(recipe.interventions, finder)
        finder.forget()  # the memory of a second model is not ours to keep while training
        set_seed(recipe.seed)
        model = load(start, trainable=True)
        try:
            trainer = _trainer(recipe, model, tokenizer, chats, checkpoints, interventions, progress, start is None)
        except ValueError as error:
            if "Target modules" not in str(error):  # PEFT's own type for it is new
                raise
            raise SpilloverError(f"The adapter does not fit {recipe.base}; change lora.target_modules: {error}") from error
        if any(not i.resumes for i in interventions):
            for folder in by_step(checkpoints).values():
                shutil.rmtree(folder)
        with ExitStack() as stack:
            for intervention in interventions:
                stack.enter_context(intervention.attached(trainer.model))
            trainer.train(resume_from_checkpoint=last_whole(checkpoints))
    except (RuntimeError, MemoryError) as error:
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
        curves={name: _curve(history, name) for name in (*([HELD_OUT] if chats.held_out else []), *recipe.watch)},
        interventions=[i.report() for i in interventions],
    )


def _watched(recipe: Recipe, chats: Chats) -> dict[str, list[Any]]:
    """Chats to look at and not to learn from, by name."""
    held_out = {HELD_OUT: chats.held_out} if chats.held_out else {}
    return held_out | {name: chats_of(source, recipe.seed) for name, source in recipe.watch.items()}


def _curve(history: list[dict[str, float]], name: str) -> list[dict[str, float]]:
    key = f"eval_{name}_loss"
    return [
        {"step": e["step"], "loss": round(e[key], 4), "accuracy": round(e["eval_mean_token_accuracy"], 4)}
        for e in history
        if key in e
    ]


def _check_template(tokenizer: Any, recipe: Recipe) -> None:
    """See that the template marks what the assistant wrote; TRL knows marked templates of the common families."""
    if not tokenizer.chat_template:
        raise SpilloverError(f"{recipe.base} has no chat template; use an instruction-tuned checkpoint, or add one to it.")
    if "{% generation %}" in str(tokenizer.chat_template).replace("{%-", "{%").replace("-%}", "%}"):
        return
    try:
        tokenizer.chat_template = get_training_chat_template(tokenizer) or tokenizer.chat_template
    except ValueError as error:
        raise SpilloverError(
            f"The chat template of {recipe.base} has no {{% generation %}} block, so responses cannot be told from prompts; "
            "add one around the assistant's content."
        ) from error


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Type of the base's weights."""
    chosen = recipe.training.dtype or ("bfloat16" if torch.cuda.is_available() else "float32")
    found: torch.dtype = getattr(torch, chosen)
    return found


def _not_finite(what: str, value: str, step: int) -> str:
    return (
        f"The {what} became {value} at step {step}; lower training.learning_rate and train into another --out. The last "
        "good checkpoint is kept."
    )


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Progress, interventions after every step, and an end when the loss is no number."""

    def __init__(self, interventions: list[Intervention], progress: Callable[[int, int, str], None]) -> None:
        self.interventions, self.progress = interventions, progress

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        for intervention in self.interventions:
            intervention.after_step(model)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        if control.should_save and not all(p.isfinite().all() for p in model.parameters() if p.requires_grad):
            raise SpilloverError(_not_finite("weights", "no numbers", state.global_step))
        for intervention in self.interventions:  # every one is asked: each may keep a record
            control.should_training_stop |= intervention.stops(model, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise SpilloverError(_not_finite("loss", str(loss), state.global_step))
        self.progress(state.global_step, state.max_steps, f"loss {loss:.3f}")


class _Trainer(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer with another objective, or with what interventions add to the loss."""

    objective: Objective | None = None
    interventions: list[Intervention] = []  # noqa: RUF012 - set on the instance

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        if self.objective is not None and model.training:
            loss, outputs = self.objective.loss(model, inputs, self.state.global_step), None
            # The trainer expects a mean over the tokens of all batches that are accumulated.
            loss = loss / self.current_gradient_accumulation_steps
        else:
            # Outputs cost a second forward pass, so they are asked for only where they are used.
            found = super().compute_loss(model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch)
            loss, outputs = found if return_outputs else (found, None)
        if model.training:
            for intervention in self.interventions:
                extra = intervention.extra_loss(model, inputs)
                if extra is not None:
                    loss = loss + extra / self.current_gradient_accumulation_steps
        return (loss, outputs) if return_outputs else loss


def _trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    chats: Chats,
    checkpoints: Path,
    interventions: list[Intervention],
    progress: Callable[[int, int, str], None],
    new_adapter: bool,
) -> _Trainer:
    settings, on_gpu = recipe.training, torch.cuda.is_available()
    watched = _watched(recipe, chats)
    every = save_every(settings, len(chats.train))
    trainer = _Trainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=_dataset(chats.train),
        eval_dataset={name: _dataset(rows) for name, rows in watched.items()} or None,
        callbacks=[_Watch(interventions, progress)],
        peft_config=lora_config(recipe) if new_adapter else None,
        args=SFTConfig(
            output_dir=str(checkpoints),
            seed=recipe.seed,
            assistant_only_loss=True,
            max_steps=settings.steps or -1,
            num_train_epochs=settings.epochs,
            per_device_train_batch_size=settings.batch_size // processes(),  # one batch of the recipe's, shared out
            per_device_eval_batch_size=settings.batch_size,
            gradient_accumulation_steps=settings.gradient_accumulation,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=settings.warmup_steps,
            weight_decay=settings.weight_decay,
            max_length=settings.max_length,
            packing=False,
            bf16=dtype_of(recipe) is torch.bfloat16,
            use_cpu=not on_gpu,
            gradient_checkpointing=on_gpu if settings.gradient_checkpointing is None else settings.gradient_checkpointing,
            logging_steps=1,
            logging_nan_inf_filter=False,
            save_strategy="steps",
            save_steps=every,
            eval_strategy="steps" if watched else "no",
            eval_steps=every,
            report_to=[],
            disable_tqdm=True,
        ),
    )
    trainer.interventions = interventions
    trainer.objective = build_objective(recipe, tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer


def lora_config(recipe: Recipe) -> LoraConfig:
    """PEFT's settings for the recipe's adapter."""
    lora = recipe.lora
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        use_rslora=lora.rslora,
        target_modules=list(lora.target_modules),
        layers_to_transform=list(lora.layers) if lora.layers else None,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )


def _dataset(chats: list[Any]) -> Dataset:
    return Dataset.from_list([{"messages": chat} for chat in chats])
