"""What every trainer of ours does around TRL's: interventions at every step, progress, an end when a number is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback

from spillover.errors import SpilloverError
from spillover.training.interventions.base import Intervention

Told = Callable[[dict[str, float]], str]
"""What is said of a step's log beside its number."""


def not_finite(what: str, value: str, step: int) -> str:
    """What is said when a number became none."""
    return (
        f"The {what} became {value} at step {step}; lower training.learning_rate and train into another --out. The last "
        "good checkpoint is kept."
    )


class Untold:
    """Before TRL's trainer among a class's bases: it would tell its makers of every training, model and GPU otherwise."""

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine that nobody asked for."""


class Watch(TrainerCallback):  # type: ignore[misc]
    """Progress, interventions after every step, and an end when the loss is no number."""

    def __init__(
        self,
        interventions: list[Intervention],
        progress: Callable[[int, int, str], None],
        told: Told = lambda logs: f"loss {logs['loss']:.3f}",
    ) -> None:
        self.interventions, self.progress, self.told = interventions, progress, told

    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """See the class."""
        for intervention in self.interventions:
            intervention.after_step(model)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """See the class."""
        if control.should_save and not all(p.isfinite().all() for p in model.parameters() if p.requires_grad):
            raise SpilloverError(not_finite("weights", "no numbers", state.global_step))
        for intervention in self.interventions:  # every one is asked: each may keep a record
            control.should_training_stop |= intervention.stops(model, state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **kwargs: Any) -> None:
        """See the class."""
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise SpilloverError(not_finite("loss", str(loss), state.global_step))
        self.progress(state.global_step, state.max_steps, self.told(logs))


def added(interventions: list[Intervention], model: Any, inputs: dict[str, Any], accumulation: int) -> Any:
    """What interventions add to the loss of one of so many batches of a step; 0 for nothing."""
    extras = [i.extra_loss(model, inputs) for i in interventions]
    return sum((e / accumulation for e in extras if e is not None), 0)
