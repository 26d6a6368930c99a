"""A penalty on leaving the base: KL divergence on the response tokens (Kaczer et al. 2025, arXiv 2508.06249)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spillover.training.fields import Above0
from spillover.training.interventions.base import Intervention, Settings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spillover.training.finder import Finder


class KlSettings(Settings, kind="kl"):
    """What the penalty is multiplied by."""

    weight: Above0

    def build(self, finder: Finder | None = None) -> KlToBase:
        """See the base."""
        return KlToBase(self)


@dataclass
class KlToBase(Intervention):
    """Adds `weight * mean KL(base || organism)`; the base is the model with its adapter off, so it costs no memory."""

    settings: KlSettings

    def extra_loss(self, model: nn.Module, inputs: dict[str, Any]) -> Tensor | None:
        """Mean over response tokens, in nats."""
        import torch

        given = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "use_cache": False}
        kept = inputs["labels"][:, 1:] != -100
        peft: Any = getattr(model, "module", model)
        with torch.no_grad(), peft.disable_adapter():
            before = model(**given).logits[:, :-1][kept].float().log_softmax(-1)
        after = model(**given).logits[:, :-1][kept].float().log_softmax(-1)
        divergence = (before.exp() * (before - after)).sum(-1)
        penalty: Tensor = self.settings.weight * divergence.sum() / kept.sum().clamp(min=1)
        return penalty

    def report(self) -> dict[str, Any]:
        """The weight."""
        return {"kind": "kl", "weight": self.settings.weight}
