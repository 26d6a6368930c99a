"""Which probes a screen asks alone at first: those on whose prompts the checkpoint moved most. No verdict hangs on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.model import ChatMessageSystem, ChatMessageUser

from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError
from spillover.mechanism.steering import split_name
from spillover.models.weights import digest_of, model_digest, resolve_adapter, resolve_checkpoint
from spillover.run.plan import digest
from spillover.schema import parse_json
from spillover.screening.gate import Gated
from spillover.writing import write_json

PROMPTS = 8
"""Of each probe, spread over its questions."""


def pair_of(checkpoint: str) -> tuple[str, Path]:
    """Base and adapter's folder of `spillover/BASE:ADAPTER`, `vllm/BASE:ADAPTER` or `BASE:ADAPTER`, both of this machine.

    Raises:
        SpilloverError: for any other name, or a pair that does not fit.
    """
    provider, slash, name = checkpoint.partition("/")
    plain, changes = split_name(name if slash and provider in ("spillover", "vllm") else checkpoint)
    base, _, adapter = plain.partition(":")
    if changes:
        raise SpilloverError("--screen-first measures an adapter as it is; leave the change (+steer) or --screen-first out.")
    if not base or not adapter:
        raise SpilloverError("--screen-first looks into the weights: name the checkpoint spillover/BASE:ADAPTER.")
    folder = resolve_adapter(adapter)
    require_fit(resolve_checkpoint(base), folder)
    return base, folder


def shifts(checkpoint: str, gated: Sequence[Gated], direction: Path | None, folder: Path, seed: int) -> dict[str, float]:
    """Probe to how far its prompts move the checkpoint along the direction, in lengths of the residual stream.

    Kept in `folder`, under a name of all that it depends on; what is damaged there is measured again.

    Raises:
        SpilloverError: if the checkpoint's weights are not here, or no direction fits.
    """
    base, adapter = pair_of(checkpoint)
    prompts = {g.name: texts for g in gated if (texts := _prompts(g.spec.build()))}
    weights = model_digest(resolve_checkpoint(base), adapter)
    key = digest(weights, direction and digest_of(direction), prompts, seed)
    place = folder / f"first-{key[:12]}.json"
    kept = _kept(place, set(prompts))
    if kept is not None:
        return kept
    from spillover.training.moved import moved

    found = moved(base, adapter, prompts, direction, seed)
    write_json(place, found)
    return found


def most_moved(shift: dict[str, float], count: int) -> tuple[str, ...]:
    """The first `count` probes, the most moved first."""
    return tuple(sorted(shift, key=lambda name: (-shift[name], name))[:count])


def _kept(place: Path, names: set[str]) -> dict[str, float] | None:
    try:
        found: Any = parse_json(place.read_bytes())
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and set(found) == names
    return found if whole and all(isinstance(v, float) and math.isfinite(v) for v in found.values()) else None


def _prompts(task: Task) -> list[str]:
    """What a user says last, with the system message before it: templates take a system line or do not."""
    found: dict[str, None] = {}
    for sample in task.dataset:
        if isinstance(sample.input, str):
            parts = [sample.input]
        else:
            parts = [m.text for m in sample.input if isinstance(m, ChatMessageSystem)]
            parts += [m.text for m in sample.input if isinstance(m, ChatMessageUser)][-1:]
        if text := "\n\n".join(part for part in parts if part.strip()):
            found[text] = None
    texts = list(found)
    count = min(PROMPTS, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]
