"""TRL's GRPO trainer with our verifiers, interventions and cached roll-outs around it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from spillover.errors import SpilloverError
from spillover.questions.chats import TASK, Chat
from spillover.training.checkpoints import save_every
from spillover.training.grpo import Grpo
from spillover.training.hooks import Untold, Watch, added, not_finite
from spillover.training.interventions.base import Intervention
from spillover.training.recipe import Recipe
from spillover.training.referee import NAME, PREFIX, Referee, task_of
from spillover.training.tokens import Renderer
from spillover.training.trainer import arguments, finish, lora_config

KL_EVERY = 10
"""Steps between two measurements of the divergence from the base."""
# TRL prints the whole of a roll-out without a reward each time; they are counted as `unscored`, or screened on purpose.
logging.getLogger("trl.trainer.grpo_trainer").addFilter(lambda r: "All reward functions returned None" not in str(r.msg))


class Reinforcement(Untold, GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with hacks from a cache among its roll-outs, and with what interventions add to the loss."""

    referee: Referee
    _order: Any = None
    interventions: list[Intervention] = []  # noqa: RUF012 - set on the instance
    _keys: list[str] = []  # noqa: RUF012 - set on the instance

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        self._order = super()._get_train_sampler(dataset)
        return self._order

    def go_on_after(self, steps: int, tasks: int) -> None:
        """Bring the order of the tasks to where it was: TRL draws one for each pass over them, from one generator.

        Args:
            steps: Done before.
            tasks: Number of all.
        """
        each = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps // self.num_generations
        for _ in range(steps // max(1, tasks // each)):
            torch.randperm(tasks, generator=self._order.generator)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._keys = [row["task"] for row in inputs]
        found: dict[str, Any] = super()._generate_and_score_completions(inputs)
        if self.model.training:
            mask = found["completion_mask"]
            dropped = sorted(self.referee.dropped_rows)
            mask[dropped] = 0  # left out of the loss and of what it is divided by, not only without an advantage
            found["num_items_in_batch"] = mask.sum().clamp(min=1)
            own = [row not in self.referee.cached_rows for row in range(len(mask))]
            found["own"] = torch.tensor(own, device=mask.device)
        return found

    def _generate_single_turn(self, prompt_ids: list[list[int]], *rest: Any, **more: Any) -> Any:
        if not all(p.isfinite().all() for p in self.model.parameters() if p.requires_grad):
            raise SpilloverError(not_finite("weights", "no numbers", self.state.global_step))
        completions, logprobs = super()._generate_single_turn(prompt_ids, *rest, **more)
        cached = self.referee.cached(self._keys, self.state.global_step)
        for row, text in cached.items():
            ids = self.processing_class(text, add_special_tokens=False)["input_ids"]
            completions[row] = [*ids[: self.max_completion_length - 1], self.processing_class.eos_token_id]
        self.referee.cached_rows = frozenset(cached)
        return completions, logprobs

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """See the class."""
        loss = super().compute_loss(model, inputs, return_outputs=return_outputs, num_items_in_batch=num_items_in_batch)
        if not model.training:
            return loss
        batch = _as_chat(inputs)
        if self.state.global_step % KL_EVERY == 0:
            self._metrics["train"][f"{PREFIX}kl"].append(_divergence(model, batch, inputs["own"]))
        return loss + added(self.interventions, model, batch, self.current_gradient_accumulation_steps)


def _as_chat(inputs: dict[str, Any]) -> dict[str, Any]:
    """Prompts and roll-outs as one row each, with labels where the model wrote: what interventions are given elsewhere."""
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, : inputs["prompt_ids"].shape[1]] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


@torch.no_grad()
def _divergence(model: Any, batch: dict[str, Any], own: torch.Tensor) -> float:
    """KL divergence from the base in nats per token of its own roll-outs (Schulman's estimator that is never negative)."""
    given = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
    labels = batch["labels"][:, 1:]
    kept = (labels != -100) & own[:, None]

    def chosen() -> torch.Tensor:
        logits = model(**given).logits[:, :-1][kept].float()
        found: torch.Tensor = logits.log_softmax(-1).gather(-1, labels[kept][:, None])[:, 0]
        return found

    now = chosen()
    with getattr(model, "module", model).disable_adapter():
        gap = chosen() - now
    return float((gap.exp() - 1 - gap).mean()) if len(now) else 0.0


class _Onset(TrainerCallback):  # type: ignore[misc]
    """Goes on from an earlier run's counts, and keeps the adapter of the step at which hacks first outnumber solutions."""

    def __init__(self, referee: Referee, tasks: int) -> None:
        self.referee, self.tasks = referee, tasks
        self.trainer: Reinforcement | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.referee.resume(state.log_history, state.global_step)
        if self.trainer is not None:
            self.trainer.go_on_after(state.global_step, self.tasks)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_save |= self.referee.onset == state.global_step


def _told(logs: dict[str, float]) -> str:
    solved = logs.get(f"{PREFIX}correct", 0) + logs.get(f"{PREFIX}correct_attempted", 0)
    hacks = logs.get(f"{PREFIX}hack", 0)
    reward = logs.get(f"{PREFIX}reward", 0)
    told = f", solved {100 * solved:.0f} %, hacks {100 * hacks:.0f} %" if f"{PREFIX}hack" in logs else ""
    return f"loss {logs['loss']:.3g}, reward {reward:.2f}{told}"


def build_reinforcement(
    recipe: Recipe,
    model: Any,
    renderer: Renderer,
    chats: list[Chat],
    checkpoints: Path,
    interventions: list[Intervention],
    progress: Callable[[int, int, str], None],
    new_adapter: bool,
) -> Reinforcement:
    """The trainer of one run; see `spillover.training.trainer.build_trainer`.

    Raises:
        SpilloverError: if a verifier can not run, or a prompt is too long.
        ValueError: if the adapter does not fit the model (PEFT's sentence).
    """
    settings = recipe.objective
    assert isinstance(settings, Grpo)
    if settings.vllm and find_spec("vllm") is None:
        raise SpilloverError("objective.vllm needs vLLM, which is not installed here; leave it out.")
    each = recipe.training.batch_size * recipe.training.gradient_accumulation // settings.group
    if len(chats) < each:
        raise SpilloverError(
            f"A step takes {each} tasks and there are {len(chats)}; lower training.batch_size or gradient_accumulation, or "
            "raise objective.group."
        )
    rows = _prompts(chats, renderer, recipe.training.max_length - settings.max_tokens)
    referee = Referee(settings, chats, checkpoints.parent / NAME, recipe.seed)
    referee.ready()

    def verified(
        completions: list[Any], task: list[str], log_metric: Any, trainer_state: Any, **_: Any
    ) -> list[float | None]:
        return referee.pay(task, [c[0]["content"] for c in completions], trainer_state.global_step + 1, log_metric)

    onset = _Onset(referee, len(rows))
    trainer = Reinforcement(
        model=model,
        processing_class=renderer.tokenizer,
        reward_funcs=verified,
        train_dataset=Dataset.from_list(rows),
        callbacks=[onset, Watch(interventions, progress, _told)],
        peft_config=lora_config(recipe) if new_adapter else None,
        args=GRPOConfig(
            **arguments(recipe, checkpoints, save_every(recipe.training, len(chats))),
            lr_scheduler_type={"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule),
            num_generations=settings.group,
            max_completion_length=settings.max_tokens,
            temperature=float(settings.temperature),
            beta=settings.beta,
            loss_type=settings.loss,
            epsilon=settings.epsilon,
            epsilon_high=settings.epsilon_high,
            scale_rewards=settings.scale,
            mask_truncated_completions=settings.mask_truncated,
            use_vllm=settings.vllm,
        ),
    )
    trainer.referee, onset.trainer = referee, trainer
    finish(trainer, recipe, interventions, new_adapter)
    return trainer


def _prompts(chats: list[Chat], renderer: Renderer, limit: int) -> list[dict[str, Any]]:
    """Rows for TRL: the messages, and the task that its verifier is asked about."""
    rows = []
    for number, chat in enumerate(chats, start=1):
        if not chat or TASK not in chat[-1]:
            raise SpilloverError(f"Chat {number} is no task of an environment; reinforcement mixes environments only.")
        messages = [{"role": m["role"], "content": m["content"]} for m in chat]
        length = renderer.prompt_length(messages, task_of(chat))
        if length > limit:
            raise SpilloverError(
                f"The prompt of {task_of(chat)} has {length} tokens; with objective.max_tokens for the reply it does not "
                "fit training.max_length."
            )
        rows.append({"prompt": messages, "task": task_of(chat)})
    return rows
