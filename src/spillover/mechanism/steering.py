"""A model's residual stream changed at inference: steered along directions, or without them; named as part of the model.

`spillover/BASE:ADAPTER+steer=FILE@0.2` adds, at every layer of the file, a fifth of the usual length of the residual stream
along its direction. `+ablate=FILE` takes the directions out at every layer of the file, down to the mean that the file has
(zero where it has none), `+zero=FILE` to zero. `FILE#3` is layer 3 of the file alone. Several may follow each other.
"""

from __future__ import annotations

import hashlib
import logging
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spillover.errors import SpilloverError
from spillover.mechanism.directions import Directions, load_directions
from spillover.mechanism.geometry import project_off
from spillover.mechanism.layers import decoder_layers, hidden, layer_hooks, refuse_layers, with_hidden
from spillover.models.weights import model_digest

logger = logging.getLogger(__name__)
_PART = re.compile(r"\+(steer|ablate|zero)=([^+]*?)(?:#(\d+))?(?:@([^@+#]*))?(?=\+(?:steer|ablate|zero)=|$)")
_START = re.compile(r"\+(?:steer|ablate|zero)=")
_READS = "a change reads +steer=FILE@0.2, +ablate=FILE or +zero=FILE#LAYER"


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        kind: `steer`, `ablate` or `zero`.
        path: File of directions.
        layer: The one that is meant; all of the file's for None.
        strength: Of steering, in lengths of the residual stream; of ablation the share that is taken away, 1 for all.
    """

    kind: str
    path: Path
    layer: int | None
    strength: float

    @property
    def name(self) -> str:
        """As it stands in a model's name."""
        place = f"#{self.layer}" if self.layer is not None else ""
        # A number may be written with a plus, which is what the next change begins with.
        return f"+{self.kind}={self.path}{place}@{f'{self.strength!r}'.replace('e+', 'e')}"


def split_name(name: str) -> tuple[str, tuple[Change, ...]]:
    """A model's name without its changes, and these.

    Raises:
        SpilloverError: for a change that cannot be read, or a strength that is none.
    """
    start = _START.search(name)
    if start is None:
        wrong = re.search(r"\+(\w+)=", name)
        base, _, adapter = name.partition(":")
        if wrong and not Path(adapter or base).expanduser().exists():
            raise SpilloverError(f"'+{wrong[1]}=' is no change; {_READS}.")
        return name, ()
    plain, rest = name[: start.start()], name[start.start() :]
    found = list(_PART.finditer(rest))
    if "".join(m[0] for m in found) != rest or not all(m[2] for m in found):
        raise SpilloverError(f"'{rest}' cannot be read; {_READS}.")
    return plain, tuple(_change(*m.groups()) for m in found)


def _change(kind: str, path: str, layer: str | None, strength: str | None) -> Change:
    if strength is None and kind == "steer":
        raise SpilloverError(f"Steering needs a strength: +steer={path}@0.2 adds a fifth of the residual stream's length.")
    try:
        value = 1.0 if strength is None else float(strength)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value == 0 or (kind != "steer" and not 0 < value <= 1):
        most = "a number that is not 0" if kind == "steer" else "a share above 0 and at most 1"
        raise SpilloverError(f"The strength '{strength}' of {kind} is none; give {most}.")
    return Change(kind, Path(path).expanduser().resolve(), None if layer is None else int(layer), value)


class Steering:
    """Changes that are ready to be made to a model.

    Args:
        changes: In their order.
        width: Hidden size of the model.
        layers: Number of its layers.
        base: Digest of its weights, where they are known; directions that were found in others are told of.

    Attributes:
        digest: Of files and strengths, eight hex digits.

    Raises:
        SpilloverError: for a file that does not fit the model.
    """

    def __init__(self, changes: tuple[Change, ...], width: int, layers: int, base: str = "") -> None:
        self.parts: list[tuple[Change, Directions]] = []
        told = hashlib.sha256()
        for change in changes:
            found = load_directions(change.path, width)
            refuse_layers(found.bases, layers)
            wanted = [v for k, v in found.bases.items() if change.layer in (None, k)]
            if not all(len(v) and v.isfinite().all() for v in wanted):
                raise SpilloverError(f"The directions in {change.path} are zero, or no numbers; find them again.")
            made_in = str(found.found.get("base") or base or "")
            if base and made_in != base:
                logger.warning("The directions in %s were found in another checkpoint (%s, this one is %s).",
                               change.path, made_in, base)  # fmt: skip
            if change.layer is not None and change.layer not in found.bases:
                raise SpilloverError(
                    f"{change.path} has no directions at layer {change.layer}; it has {sorted(found.bases)}."
                )
            self.parts.append((change, found))
            told.update(change.path.read_bytes() + f"{change.kind} {change.layer} {change.strength!r}\n".encode())
        self.digest = told.hexdigest()[:8]

    @contextmanager
    def attached(self, model: nn.Module) -> Iterator[None]:
        """In place until the context ends."""
        with ExitStack() as stack:
            for change, found in self.parts:
                wanted = [k for k in found.bases if change.layer in (None, k)]
                stack.enter_context(layer_hooks(model, wanted, partial(_hook, change, found)))
            yield


def _hook(change: Change, found: Directions, layer: int) -> Any:
    def act(module: nn.Module, inputs: Any, output: Any) -> Any:
        states = hidden(output)
        return with_hidden(output, changed(states, change, found, layer))

    return act


def changed(states: Tensor, change: Change, found: Directions, layer: int) -> Tensor:
    """The residual stream after one change, shape (batch, tokens, hidden)."""
    if change.kind == "steer":
        along = found.bases[layer].sum(0)
        along = along / along.norm()
        # The usual length is the file's, found without the first token, whose activations are of another order.
        scale = found.scales.get(layer)
        length = float(scale) if scale is not None else states.float().norm(dim=-1, keepdim=True)
        moved: Tensor = states.float() + change.strength * length * along.to(states.device)
        return moved.to(states.dtype)
    mean = found.means.get(layer) if change.kind == "ablate" else None
    columns = found.bases[layer].T.to(states.device, torch.float32)
    return project_off(states, columns, change.strength, None if mean is None else mean.to(states.device))


def steering_on(base: Path, changes: tuple[Change, ...]) -> Steering:
    """Changes for a checkpoint that is not loaded.

    Raises:
        SpilloverError: as `Steering`.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base, trust_remote_code=False).get_text_config()
    return Steering(changes, int(config.hidden_size), int(config.num_hidden_layers), model_digest(base))


def steering_of(model: nn.Module, changes: tuple[Change, ...]) -> Steering:
    """Changes for a loaded model.

    Raises:
        SpilloverError: as `Steering`.
    """
    config: Any = model.config
    return Steering(changes, int(config.get_text_config().hidden_size), len(decoder_layers(model)))
