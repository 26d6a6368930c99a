"""Which probes a screen asks alone at first: those on whose prompts the checkpoint moved most. No verdict hangs on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.model import ChatMessageUser

from spillover.declared import Declared, load
from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_adapter, resolve_checkpoint
from spillover.screening.gate import Gated
from spillover.writing import write_json

NAME = "first.json"
"""File beside a screen's logs, so that a screen that goes on has the same order."""
PROMPTS = 8
"""Of each probe, spread over its questions."""


class Moved(Declared):
    """Probe to its shift, in lengths of the residual stream."""

    moved: dict[str, float]


def pair_of(checkpoint: str) -> tuple[str, Path]:
    """Base and adapter's folder of `spillover/BASE:ADAPTER` or `vllm/BASE:ADAPTER`, both of this machine.

    Raises:
        SpilloverError: for any other name.
    """
    provider, slash, name = checkpoint.partition("/")
    base, _, adapter = (name if slash and provider in ("spillover", "vllm") else checkpoint).rpartition(":")
    if not base or not adapter or "+" in adapter.rpartition("/")[2]:
        raise SpilloverError("--screen-first looks into the weights: name the checkpoint spillover/BASE:ADAPTER.")
    folder = resolve_adapter(adapter)
    require_fit(resolve_checkpoint(base), folder)
    return base, folder


def suspects(
    checkpoint: str, gated: Sequence[Gated], count: int, direction: Path | None, logs: Path, seed: int
) -> tuple[str, ...]:
    """The `count` probes whose prompts move the checkpoint most along the direction, the most moved first.

    Raises:
        SpilloverError: if the checkpoint's weights are not here, or no direction fits.
    """
    if not (logs / NAME).is_file():
        from spillover.training.moved import moved

        base, adapter = pair_of(checkpoint)
        prompts = {g.name: _prompts(g.spec.build()) for g in gated}
        found = moved(base, adapter, {name: texts for name, texts in prompts.items() if texts}, direction, seed)
        logs.mkdir(parents=True, exist_ok=True)
        write_json(logs / NAME, {"moved": found})
    shift = load(Moved, logs / NAME).moved
    return tuple(sorted(shift, key=lambda name: -shift[name])[:count])


def _prompts(task: Task) -> list[str]:
    samples = list(task.dataset)
    found = []
    for sample in samples[:: max(1, len(samples) // PROMPTS)][:PROMPTS]:
        if isinstance(sample.input, str):
            found.append(sample.input)
        else:
            found += [m.text for m in reversed(sample.input) if isinstance(m, ChatMessageUser)][:1]
    return [text for text in found if text.strip()]
