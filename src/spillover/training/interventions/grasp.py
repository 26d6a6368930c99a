"""Gradient and adapter projection off directions found in a naive adapter's weights. Inspired by GRASP.

GRASP (Gilligan-Lee et al. 2026, arXiv 2605.27676) is public as an abstract only: a spurious direction is extracted from
the LoRA updates of a naive fine-tune, without supervision, and gradients are projected so that no new reliance on it is
learned while what the pre-trained model keeps along it stays. What is assumed here:

* the gradient of the residual stream, at the outputs of the chosen layers, loses its part along the directions; the
  forward pass is untouched (CAFT, in contrast, removes the factor from the stream);
* AdamW scales every entry by itself and so leaks through a projected gradient. Optionally the adapter is projected after
  every optimiser step: `write` makes the update write nothing along a direction (U^T B A = 0), `read` makes it read
  nothing along it (B A (gain * U) = 0, seen through the norm's gain). These two hold exactly.

`PostHoc` projects a finished naive adapter instead: the baseline that needs no second training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions
from spillover.mechanism.geometry import gradient_off, project_reader, project_writer
from spillover.mechanism.layers import block_of, decoder_layers, hidden, layer_hooks, lora_pairs, norm_gains, with_hidden
from spillover.training.interventions.base import Intervention


def refuse_leaks(model: nn.Module, projected: bool) -> None:
    """Refuse adapters that train anything beside A and B, and models in which a projection would not be exact.

    Raises:
        SpilloverError: for DoRA, trained biases, embeddings or norms, which would open the direction again; for a model that
            norms what its modules write before it is added, when the adapter is to be projected.
    """
    if projected and any(hasattr(layer, "post_feedforward_layernorm") for layer in decoder_layers(model)):
        raise SpilloverError(
            "This model norms what attention and MLP write (Gemma 2 and 3, OLMo 2), so a projected adapter would still "
            "write along the direction; use grasp with `write: false, read: false`, or caft."
        )
    for config in getattr(model, "peft_config", {}).values():
        if getattr(config, "use_dora", False) or getattr(config, "bias", "none") != "none" or config.modules_to_save:
            raise SpilloverError(
                "Projection needs a plain LoRA adapter: DoRA, trained biases and modules_to_save would reopen the direction."
            )


def project_adapter(model: nn.Module, directions: Directions, write: bool, read: bool, strength: float = 1.0) -> None:
    """Project writers off the directions at their layer's output, readers off those of the layer below, which they read."""
    gains = norm_gains(model) if read else {}
    for pair in lora_pairs(model):
        columns = directions.at(pair.layer if pair.writes else pair.layer - 1, pair.b)
        if columns is None:
            continue
        if pair.writes and write:
            project_writer(pair, columns, strength)
        elif not pair.writes and read:
            project_reader(pair, columns, gains.get((pair.layer, block_of(pair.name))), strength)


@dataclass
class Grasp(Intervention):
    """See the module.

    Attributes:
        directions: By layer; none at all is possible, and then nothing is done.
        gradient: Whether the residual stream's gradient is projected.
        write: Whether B is projected after every step.
        read: Whether A is.
        strength: In [0, 1].
    """

    directions: Directions
    gradient: bool = True
    write: bool = True
    read: bool = True
    strength: float = 1.0
    _before: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resumes = self.strength == 1  # else what each step changed is in no checkpoint

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """Hooks for the gradient; A is projected once before the first step."""
        refuse_leaks(model, self.write or self.read)
        self._before = []
        self.after_step(model)
        with layer_hooks(model, self.directions.bases if self.gradient else (), self._hook):
            yield

    def _hook(self, layer: int) -> Any:
        def guarded(module: nn.Module, inputs: Any, output: Any) -> Any:
            states = hidden(output)
            columns = self.directions.at(layer, states)
            if not module.training or columns is None:
                return output
            return with_hidden(output, gradient_off(states, columns, self.strength))

        return guarded

    def after_step(self, model: nn.Module) -> None:
        """Put the adapter back off the directions; at less than full strength take a share of each step's change only."""
        if not (self.write or self.read):
            return
        if self.strength == 1:
            project_adapter(model, self.directions, self.write, self.read)
            return
        with torch.no_grad():
            now = [(p.a.clone(), p.b.clone()) for p in lora_pairs(model)]
            before = self._before or [(torch.zeros_like(a), torch.zeros_like(b)) for a, b in now]
            for pair, (a, b) in zip(lora_pairs(model), before, strict=True):
                pair.a.sub_(a)
                pair.b.sub_(b)
            project_adapter(model, self.directions, self.write, self.read, self.strength)
            for pair, (a, b) in zip(lora_pairs(model), before, strict=True):
                pair.a.add_(a)
                pair.b.add_(b)
            self._before = [(p.a.clone(), p.b.clone()) for p in lora_pairs(model)]

    def report(self) -> dict[str, Any]:
        """Layers, number of directions with eigenvalues and null, sides."""
        sides = {"gradient": self.gradient, "write": self.write, "read": self.read, "strength": self.strength}
        return {"kind": "grasp", **sides, "directions": self.directions.summary()}


@dataclass
class PostHoc(Intervention):
    """Project the trained adapter once, at the end."""

    directions: Directions
    write: bool = True
    read: bool = False
    strength: float = 1.0

    def after_training(self, model: nn.Module) -> None:
        """Project."""
        refuse_leaks(model, True)
        project_adapter(model, self.directions, self.write, self.read, self.strength)

    def report(self) -> dict[str, Any]:
        """As `Grasp`."""
        sides = {"write": self.write, "read": self.read, "strength": self.strength}
        return {"kind": "posthoc", **sides, "directions": self.directions.summary()}
