"""Directions of a base and an organism that is there already: what `spillover directions` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spillover.engine.fit import require_fit
from spillover.errors import SpilloverError
from spillover.mechanism.activations import complete, difference_directions, residual_lengths
from spillover.mechanism.directions import Directions, load_directions
from spillover.mechanism.disturbance import matched_random
from spillover.mechanism.layers import refuse_layers
from spillover.models.weights import model_digest, resolve_adapter, resolve_checkpoint
from spillover.training.directions import Contrast, Pca, Probe, Random, Weights
from spillover.training.fields import sha256
from spillover.training.finder import Finder
from spillover.training.loading import load
from spillover.training.preflight import tokenizer_of

DRAWN = 64
"""Prompts whose answers the length of the residual stream is the mean over."""


def find(
    method: str,
    base: str,
    organism: str | None,
    layers: list[int] | None,
    count: int,
    seed: int,
    without_massive: bool = False,
    match: Path | None = None,
    *,
    questions: str | None = None,
    first: int | None = None,
    positive: Sequence[str] = (),
    negative: Sequence[str] = (),
) -> Directions:
    """Find directions, and the usual length of the residual stream at their layers.

    Args:
        method: `contrast`, `probe`, `difference`, `pca`, `weights` or `random`.
        base: Checkpoint.
        organism: Folder of an adapter, for the methods that compare.
        layers: From 0; all for None.
        count: Directions of `pca` and `random`.
        seed: Of sampled answers and random directions.
        without_massive: For `difference`.
        match: File of directions that random ones are to disturb neutral text like, in number.
        questions: Question set whose prompts are asked; a known base has its own.
        first: So many of them.
        positive: System lines with a trait, for `contrast` and `probe`; a known base has its own.
        negative: Those without.

    Raises:
        SpilloverError: for a layer, question set or system lines that are not there, or an organism of another base.
    """
    root = resolve_checkpoint(base)
    place = resolve_adapter(organism) if organism else None
    if place:
        require_fit(root, place)

    def naive() -> Path:
        if place is None:
            raise SpilloverError(f"{method} needs an organism.")
        return place

    finder = Finder(root, tokenizer_of(root), naive, partial(load, root), seed)
    if count > finder.width:
        raise SpilloverError(f"The residual stream has {finder.width} dimensions; {count} directions are too many.")
    asked: dict[str, Any] = {"layers": tuple(layers) if layers else None, "questions": questions, "first": first}
    lines: dict[str, Any] = {k: tuple(v) for k, v in (("positive", positive), ("negative", negative)) if v}
    source = Contrast(**asked, **lines)
    prompts: list[list[dict[str, str]]] = [[{"role": "user", "content": p}] for p in source.prompts(root)]
    if method == "contrast":
        found = source.find(finder)
    elif method == "probe":
        found = Probe(**asked, **lines).find(finder)
    elif method == "pca":
        found = Pca(**asked, count=count).find(finder)
    elif method == "weights":
        found = Weights(layers=asked["layers"]).find(finder)
    elif method == "random" and match is not None:
        found = _matched(finder, match, prompts, seed)
    elif method == "random":
        found = Random(layers=asked["layers"], count=count).find(finder)
    else:
        tuned = finder.tuned(None)
        chats = complete(tuned, finder.tokenizer, prompts, seed)
        at = finder.layers(asked["layers"])
        found = difference_directions(tuned, finder.model, finder.tokenizer, chats, at, without_massive)
    answers = complete(finder.model, finder.tokenizer, prompts[:DRAWN], seed)
    lengths = residual_lengths(finder.model, finder.tokenizer, answers, sorted(found.bases)) if found.bases else {}
    told = {**found.found, "base": model_digest(root), "organism": model_digest(root, place) if place else None}
    return replace(found, scales=lengths, found=told, look=None)


def _matched(finder: Finder, match: Path, prompts: Sequence[list[dict[str, str]]], seed: int) -> Directions:
    wanted = load_directions(match, finder.width)
    refuse_layers(wanted.bases, len(finder.layers(None)))
    answers = complete(finder.model, finder.tokenizer, prompts[:DRAWN], seed)
    found, theirs, ours = matched_random(finder.model, finder.tokenizer, answers, wanted, seed)
    count = len(next(iter(found.bases.values())))
    told = {"method": "random", "count": count, "seed": seed, "matched": sha256(match)[:12]}
    return replace(found, found={**told, "disturbance": round(ours, 5), "disturbance of the matched": round(theirs, 5)})
