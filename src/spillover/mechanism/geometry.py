"""Projection off directions: of states, of gradients, of LoRA matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spillover.mechanism.layers import LoraPair


def project_off(states: Tensor, columns: Tensor, strength: float = 1.0, mean: Tensor | None = None) -> Tensor:
    """`h - strength (h - mean) Q Q^T`, in float32 and back.

    Args:
        states: Shape (..., hidden).
        columns: Orthonormal columns Q, shape (hidden, directions), float32.
        strength: In [0, 1]; 1 leaves nothing along Q (but the mean, where one is given).
        mean: What a mean ablation keeps, shape (hidden,); zero ablation for None.
    """
    with torch.autocast(states.device.type, enabled=False):  # the trainer's would turn Q into bfloat16
        wide = states.float()
        along = (wide if mean is None else wide - mean.to(wide)) @ columns
        return (wide - strength * (along @ columns.T)).to(states.dtype)


class _GradientOff(torch.autograd.Function):
    """Identity forwards; backwards the gradient loses its part along Q."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, columns: Tensor, strength: float) -> Tensor:
        ctx.save_for_backward(columns)
        ctx.strength = strength
        return states.view_as(states)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (columns,) = ctx.saved_tensors
        return project_off(gradient, columns, ctx.strength), None, None


def gradient_off(states: Tensor, columns: Tensor, strength: float = 1.0) -> Tensor:
    """The same states, whose gradient is projected off the columns on its way back."""
    out: Tensor = _GradientOff.apply(states, columns, strength)  # type: ignore[no-untyped-call]
    return out


@torch.no_grad()
def project_writer(pair: LoraPair, columns: Tensor, strength: float = 1.0) -> None:
    """`B <- B - strength U U^T B`: at strength 1 the update writes nothing along U."""
    pair.b.copy_((pair.b.float() - strength * (columns @ (columns.T @ pair.b.float()))).to(pair.b.dtype))


@torch.no_grad()
def project_reader(pair: LoraPair, columns: Tensor, gain: Tensor | None, strength: float = 1.0) -> None:
    """`A <- A - strength A V V^T` with V = orth(gain * U): at strength 1 the update reads nothing that lies along U.

    A module behind a norm sees a direction of the residual stream times the norm's gain.
    """
    seen = columns if gain is None else gain.float()[:, None] * columns
    v = torch.linalg.qr(seen)[0]
    pair.a.copy_((pair.a.float() - strength * ((pair.a.float() @ v) @ v.T)).to(pair.a.dtype))
