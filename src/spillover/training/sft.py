"""Make an organism: LoRA fine-tuning by TRL and PEFT on responses only, recipe in, adapter and card out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spillover.engine.weights import resolve_checkpoint, weights_digest
from spillover.errors import SpilloverError
from spillover.training.card import read_card, write_card
from spillover.training.data import training_chats
from spillover.training.recipe import Recipe

Progress = Callable[[int, int, str], None]
"""Called with (step, steps, "loss ...") after every optimiser step."""


def train(recipe: Recipe, out: Path, progress: Progress = lambda step, steps, note: None) -> Path:
    """Train the recipe's adapter into `out`; a finished run of the same recipe and base is left alone.

    Args:
        recipe: What to train.
        out: Folder of the adapter and its card.
        progress: Told about every step.

    Returns:
        `out`.

    Raises:
        SpilloverError: if the base is missing, the data is malformed, `out` holds another organism, or the chat
            template cannot mark what the assistant wrote.
    """
    base = resolve_checkpoint(recipe.base)
    base_weights = weights_digest(base)
    card = read_card(out)
    if card is not None:
        if (card["recipe_digest"], card["base_weights"]) != (recipe.digest, base_weights):
            raise SpilloverError(f"{out} already holds another organism ({card['recipe']['id']}); choose another --out.")
        return out
    chats = training_chats(recipe.data, recipe.seed)
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    model, loss = _fit(recipe, base, chats, progress)
    model.save_pretrained(out, safe_serialization=True)
    write_card(
        out,
        recipe,
        base_weights=base_weights,
        adapter_weights=weights_digest(out),
        loss=loss,
        rows=len(chats),
        trainable=sum(p.numel() for p in model.parameters() if p.requires_grad),
        seconds=time.monotonic() - started,
    )
    return out


def _fit(recipe: Recipe, base: Path, chats: list[Any], progress: Progress) -> tuple[Any, list[dict[str, float]]]:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    if "{% generation %}" not in str(tokenizer.chat_template).replace("{%-", "{%").replace("-%}", "%}"):
        raise SpilloverError(
            f"The chat template of {recipe.base} has no {{% generation %}} block, so responses cannot be told from prompts; "
            "add one around the assistant's content."
        )
    set_seed(recipe.seed)
    on_gpu = torch.cuda.is_available()
    model = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.bfloat16 if on_gpu else torch.float32, use_safetensors=True, trust_remote_code=False
    )
    loss: list[dict[str, float]] = []

    class Report(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
            if logs and "loss" in logs:
                loss.append({"step": state.global_step, "loss": round(float(logs["loss"]), 4)})
                progress(state.global_step, state.max_steps, f"loss {float(logs['loss']):.3f}")

    settings = recipe.training
    with tempfile.TemporaryDirectory(prefix="spillover-train-") as scratch:
        trainer = SFTTrainer(
            model=model,
            processing_class=tokenizer,
            train_dataset=Dataset.from_list([{"messages": chat} for chat in chats]),
            callbacks=[Report()],
            peft_config=LoraConfig(
                r=recipe.lora.r,
                lora_alpha=recipe.lora.alpha,
                use_rslora=recipe.lora.rslora,
                target_modules=list(recipe.lora.target_modules),
                lora_dropout=0.0,
                bias="none",
                task_type="CAUSAL_LM",
            ),
            args=SFTConfig(
                output_dir=scratch,
                seed=recipe.seed,
                assistant_only_loss=True,
                max_steps=settings.steps or -1,
                num_train_epochs=settings.epochs,
                per_device_train_batch_size=settings.batch_size,
                gradient_accumulation_steps=settings.gradient_accumulation,
                learning_rate=settings.learning_rate,
                lr_scheduler_type="linear",
                warmup_steps=settings.warmup_steps,
                weight_decay=settings.weight_decay,
                max_length=settings.max_length,
                packing=False,
                bf16=on_gpu,
                use_cpu=not on_gpu,
                gradient_checkpointing=on_gpu,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
        )
        trainer.remove_callback(_printer())
        trainer.train()
    return trainer.model, loss


def _printer() -> Any:
    from transformers.trainer_callback import PrinterCallback

    return PrinterCallback
