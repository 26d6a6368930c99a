"""A pretended GPU: real arithmetic on the CPU, with the rule that tensors of two devices do not meet.

PyTorch's meta device has no numbers to decide by, and its fake tensors stop where Python reads one; so tensors are marked as
lying on the card, whatever is made from them is marked too, and an operation on both kinds raises what CUDA would raise.
"""

from contextlib import contextmanager

import pytest
import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from spillover.models.weights import resolve_checkpoint
from spillover.training import loading

CARD = torch.device("cuda:0")
CPU = torch.device("cpu")
_SAME = {"cpu", "numpy", "tolist", "item", "__float__", "__int__", "__bool__", "__index__"}
"""What brings numbers back to the CPU."""


def on_card(value):
    return isinstance(value, torch.Tensor) and getattr(value, "_on_card", False)


def mark(value):
    if isinstance(value, torch.Tensor):
        value._on_card = True
    return value


class Card(TorchFunctionMode):
    """While it is entered, `.to(CARD)` and `device=CARD` work."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        owner = getattr(func, "__self__", None)
        if name == "_parse_to":  # of `module.to`, which then moves its tensors one by one
            return func(*args, **kwargs)
        flat, _ = tree_flatten((args, kwargs))
        tensors = [t for t in flat if isinstance(t, torch.Tensor)]
        if name == "__get__" and owner is torch.Tensor.device:
            return CARD if on_card(args[0]) else func(*args)  # which may be meta, while a model is being loaded
        if name == "__get__" and owner is torch.Tensor.is_cuda:
            return on_card(args[0])
        named = [v for v in flat if isinstance(v, str) and v in ("cuda", "cuda:0", "cpu")]
        wanted = [v for v in flat if isinstance(v, torch.device)] + named
        moved = any(torch.device(v).type == "cuda" for v in wanted)
        if name in ("copy_", "__set__", "__getitem__", "__setitem__", "_has_compatible_shallow_copy_type"):
            pass  # these copy from one device to another; an index may lie on the CPU
        elif name not in ("to", "cuda", "cpu", "type_as") and len({on_card(t) for t in tensors if t.dim()}) > 1:
            raise RuntimeError(f"Expected all tensors to be on the same device, in {name}")

        def swap(v):  # meta stays meta: it is where a model lies until its files are read
            return CPU if isinstance(v, (str, torch.device)) and str(v) in ("cuda", "cuda:0") else v

        found = func(*tree_map(swap, args), **tree_map(swap, kwargs))
        if name == "__set__" and len(args) > 1 and on_card(args[1]):
            mark(args[0])
        if name in _SAME or (name == "to" and wanted and not moved):
            return found.clone() if on_card(found) else found  # `.cpu()` of what is there already is no copy
        if moved and any(found is tensor for tensor in tensors):
            found = found.clone()
        if moved or name == "cuda" or any(map(on_card, tensors)):
            found = tree_map(mark, found)
        return found


def put(model):
    """A module's parameters and buffers, on the card."""
    for tensor in (*model.parameters(), *model.buffers()):
        mark(tensor)
    return model


def lab_organism():
    """The lab's base with a small adapter that changes something, on the CPU."""
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(resolve_checkpoint("lab"))
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear"))
    for name, p in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(p, std=0.05)
    return model


@contextmanager
def training_on_card():
    """Trainers of TRL and Transformers take the card for the device of this machine.

    Yields:
        Of every step so far, whether all weights of the model lay there.
    """
    there: list[bool] = []
    own_step = Trainer.training_step

    def step(self, model, *args, **kwargs):
        there.append(all(map(on_card, model.parameters())))
        return own_step(self, model, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, Card():
        for owner in (Accelerator, TrainingArguments):
            own = owner.device
            # What they find out about the machine on the way is needed, too.
            patch.setattr(owner, "device", property(lambda self, own=own: (own.fget(self), CARD)[1]))
        patch.setattr(loading, "device", lambda: str(CARD))
        patch.setattr(Trainer, "training_step", step)
        yield there
