"""TRL's trainer with an objective of the recipe's and interventions around every step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from spillover.training.checkpoints import processes, save_every
from spillover.training.hooks import Untold, Watch, added
from spillover.training.interventions.base import Intervention
from spillover.training.loading import number_type
from spillover.training.objectives import Loss
from spillover.training.recipe import Recipe
from spillover.training.tokens import Tokens


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Type of the base's weights."""
    chosen = recipe.training.dtype
    return number_type() if chosen is None else getattr(torch, chosen)


class Trainer(Untold, SFTTrainer):  # type: ignore[misc]
    """TRL's trainer with another objective, or with what interventions add to the loss."""

    objective: Loss | None = None
    interventions: list[Intervention] = []  # noqa: RUF012 - set on the instance

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """See the class."""
        if self.objective is not None and model.training:
            loss, outputs = self.objective.loss(model, inputs, self.state.global_step), None
            # The trainer expects a mean over the tokens of all batches that are accumulated.
            loss = loss / self.current_gradient_accumulation_steps
        else:
            # Outputs cost a second forward pass, so they are asked for only where they are used.
            found = super().compute_loss(model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch)
            loss, outputs = found if return_outputs else (found, None)
        if model.training:
            loss = loss + added(self.interventions, model, inputs, self.current_gradient_accumulation_steps)
        return (loss, outputs) if return_outputs else loss


def build_trainer(
    recipe: Recipe,
    model: Any,
    tokenizer: Any,
    chats: list[Tokens],
    watched: dict[str, list[Tokens]],
    checkpoints: Path,
    interventions: list[Intervention],
    progress: Callable[[int, int, str], None],
    new_adapter: bool,
) -> Trainer:
    """The trainer of one run.

    Args:
        recipe: Settings.
        model: Base, or base with the adapter to go on from.
        tokenizer: Of the base.
        chats: To learn from.
        watched: Chats whose loss is measured at every checkpoint, by name.
        checkpoints: Folder for checkpoints.
        interventions: In the recipe's order.
        progress: Told (step, steps, note).
        new_adapter: Whether the adapter is to be made.

    Raises:
        ValueError: if the adapter does not fit the model (PEFT's sentence).
    """
    settings = recipe.training
    every = save_every(settings, len(chats))
    trainer = Trainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=to_dataset(chats),
        eval_dataset={name: to_dataset(rows) for name, rows in watched.items()} or None,
        callbacks=[Watch(interventions, progress)],
        peft_config=lora_config(recipe) if new_adapter else None,
        args=SFTConfig(
            **arguments(recipe, checkpoints, every),
            num_train_epochs=settings.epochs,
            per_device_eval_batch_size=settings.batch_size,
            lr_scheduler_type="linear",
            max_length=settings.max_length,
            packing=False,
            eval_strategy="steps" if watched else "no",
            eval_steps=every,
        ),
    )
    finish(trainer, recipe, interventions, new_adapter)
    trainer.objective = recipe.objective.build(recipe, tokenizer)
    return trainer


def arguments(recipe: Recipe, checkpoints: Path, every: int) -> dict[str, Any]:
    """What TRL's trainers are all told.

    Args:
        recipe: Settings.
        checkpoints: Folder for checkpoints.
        every: Steps between two of them.
    """
    settings, on_gpu = recipe.training, torch.cuda.is_available()
    return {
        "output_dir": str(checkpoints),
        "seed": recipe.seed,
        "max_steps": settings.steps or -1,
        "per_device_train_batch_size": settings.batch_size // processes(),  # one batch of the recipe's, shared out
        "gradient_accumulation_steps": settings.gradient_accumulation,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup_steps,
        "weight_decay": settings.weight_decay,
        "bf16": dtype_of(recipe) is torch.bfloat16,
        "use_cpu": not on_gpu,
        "gradient_checkpointing": on_gpu if settings.gradient_checkpointing is None else settings.gradient_checkpointing,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": every,
        "report_to": [],
        "disable_tqdm": True,
    }


def finish(trainer: Any, recipe: Recipe, interventions: list[Intervention], new_adapter: bool) -> None:
    """What every trainer of ours has besides."""
    if new_adapter and recipe.lora.seed is not None:
        _draw_factors(trainer.model, recipe.lora.seed)
    trainer.interventions = interventions
    trainer.remove_callback(PrinterCallback)


def _draw_factors(model: Any, seed: int) -> None:
    """Draw the adapter's first factors again: TRL draws them with the seed of the data. Nothing else is drawn anew."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in model.modules():
            if isinstance(module, LoraLayer):
                for name in module.lora_A:
                    module.reset_lora_parameters(name, True)


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


def to_dataset(chats: list[Tokens]) -> Dataset:
    """Chats as TRL takes them when what is learned is decided."""
    return Dataset.from_list([{"input_ids": row.ids, "labels": row.labels} for row in chats])
