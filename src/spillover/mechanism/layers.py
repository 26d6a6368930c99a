"""Where things are in a decoder of any Hugging Face architecture: its layers, and the LoRA matrices in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from spillover.errors import SpilloverError

WRITERS = ("o_proj", "down_proj", "out_proj", "fc2", "dense_4h_to_h", "c_proj")
"""Modules whose output is added to the residual stream."""

_LAYER = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.")


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """The stack of decoder layers, also inside a PEFT model.

    Raises:
        SpilloverError: if there is none, as in an architecture that is no decoder.
    """
    stacks = [m for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and _ends_in_stack(name)]
    if not stacks:
        raise SpilloverError(f"{type(model).__name__} has no stack of decoder layers called layers, h or blocks.")
    return max(stacks, key=len)


def _ends_in_stack(name: str) -> bool:
    return name.rpartition(".")[2] in ("layers", "h", "blocks")


def pick_layers(model: nn.Module, wanted: Iterable[float] | None) -> list[int]:
    """Layer numbers from 0, also of layers given by depth; all of them for None.

    Raises:
        SpilloverError: for a layer that the model does not have.
    """
    count = len(decoder_layers(model))
    chosen = range(count) if wanted is None else at_depth(wanted, count)
    refuse_layers(chosen, count)
    return sorted(set(chosen))


def at_depth(wanted: Iterable[float], count: int) -> list[int]:
    """Layer numbers of a model of `count` layers: 12 is layer 12, 0.5 the one that begins half way up.

    Raises:
        SpilloverError: for what is neither.
    """
    wanted = list(wanted)
    odd = next((layer for layer in wanted if not (0 < layer < 1 or float(layer).is_integer())), None)
    if odd is not None:
        raise SpilloverError(f"A layer is a whole number from 0, or a share of the depth between 0 and 1, not {odd}.")
    return [int(layer * count) if 0 < layer < 1 else int(layer) for layer in wanted]


def refuse_layers(wanted: Iterable[int], count: int) -> None:
    """Refuse layers that a model of `count` layers does not have.

    Raises:
        SpilloverError: naming the first one.
    """
    missing = [layer for layer in wanted if not 0 <= layer < count]
    if missing:
        raise SpilloverError(f"The model has layers 0 to {count - 1}, not {missing[0]}; choose other layers.")


@dataclass(frozen=True)
class LoraPair:
    """One adapted linear module.

    Attributes:
        layer: Decoder layer, from 0.
        name: Last part of the module's name, such as `o_proj`.
        a: Weight A, shape (rank, inputs).
        b: Weight B, shape (outputs, rank).
        scale: What B A is multiplied by.
        writes: Whether the output is added to the residual stream; otherwise the module reads from it.
    """

    layer: int
    name: str
    a: Tensor
    b: Tensor
    scale: float

    @property
    def writes(self) -> bool:
        """See the class."""
        return self.name in WRITERS


def lora_pairs(model: nn.Module, adapter: str = "default") -> Iterator[LoraPair]:
    """Every adapted linear module inside the decoder layers of a PEFT model, in order."""
    for name, module in model.named_modules():
        found = _LAYER.search(f".{name}.")
        if found and adapter in getattr(module, "lora_A", {}):
            lora: Any = module
            yield LoraPair(
                layer=int(found.group(1)),
                name=name.rpartition(".")[2],
                a=lora.lora_A[adapter].weight,
                b=lora.lora_B[adapter].weight,
                scale=float(lora.scaling[adapter]),
            )


def norm_gains(model: nn.Module) -> dict[tuple[int, str], Tensor]:
    """Gain of the norm in front of each reading module, by layer and block (`attention` or `mlp`), shape (hidden,).

    A norm without a known name is left out: a reader behind it reads the residual stream as it is.
    """
    gains = {}
    for index, layer in enumerate(decoder_layers(model)):
        for block, names in _NORMS.items():
            for name in names:
                weight = getattr(getattr(layer, name, None), "weight", None)
                if weight is not None and (index, block) not in gains:
                    gain = weight.detach().float()
                    gains[index, block] = (
                        gain + 1 if type(layer).__name__ == "GemmaDecoderLayer" else gain
                    )  # stored minus one
    return gains


_NORMS = {"attention": ("input_layernorm", "ln_1"), "mlp": ("pre_feedforward_layernorm", "post_attention_layernorm", "ln_2")}
_MLP = ("gate_proj", "up_proj", "fc1", "dense_h_to_4h", "c_fc", "gate_up_proj")


def block_of(name: str) -> str:
    """`mlp` or `attention`: whose norm a reading module stands behind."""
    return "mlp" if name in _MLP else "attention"


@contextmanager
def layer_hooks(model: nn.Module, layers: Iterable[int], make: Callable[[int], Any]) -> Iterator[None]:
    """Forward hooks `make(layer)` on decoder layers; gone afterwards, also after an exception."""
    stack = decoder_layers(model)
    hooks = [stack[layer].register_forward_hook(make(layer)) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def training_hooks(model: nn.Module, layers: Iterable[int], change: Callable[[int, Tensor], Tensor]) -> Iterator[None]:
    """Give layers' outputs as `change(layer, states)`, shape (batch, tokens, hidden), in training mode only."""

    def make(layer: int) -> Any:
        def changed(module: nn.Module, inputs: Any, output: Any) -> Any:
            return with_hidden(output, change(layer, hidden(output))) if module.training else output

        return changed

    with layer_hooks(model, layers, make):
        yield


@contextmanager
def captured(model: nn.Module, layers: list[int]) -> Iterator[dict[int, Tensor]]:
    """Outputs of layers in the last forward pass, each of shape (batch, tokens, hidden), in float32."""
    found: dict[int, Tensor] = {}

    def keep(index: int) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            found[index] = hidden(output).detach().float()

        return hook

    with layer_hooks(model, layers, keep):
        yield found


def hidden(output: Any) -> Tensor:
    """The hidden states in a layer's output: a tensor, or the first of a tuple in older architectures."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def with_hidden(output: Any, states: Tensor) -> Any:
    """The same output with other hidden states."""
    return (states, *output[1:]) if isinstance(output, tuple) else states
