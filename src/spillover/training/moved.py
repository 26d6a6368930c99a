"""How far a checkpoint is moved along a direction on the prompts of each probe: no judge, and no verdict depends on it.

Chen et al. 2025 (arXiv 2507.21509, section 4): the shift along a persona vector goes with the trait after fine-tuning.
Theirs is at the last token of prompts; this one, as in `shifts`, over the tokens of the base's answers to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from transformers import AutoConfig

from spillover.errors import SpilloverError
from spillover.mechanism.activations import complete, residual_lengths, response_activations
from spillover.mechanism.directions import Directions, load_directions
from spillover.mechanism.layers import refuse_layers
from spillover.models.weights import resolve_checkpoint
from spillover.training.directions import Contrast, known_of
from spillover.training.finder import Finder
from spillover.training.loading import load_to_read
from spillover.training.preflight import tokenizer_of
from spillover.training.train import free_memory

SIGNED = ("contrast", "probe", "difference")
"""Methods whose directions point towards the trait."""


def moved(
    base: str, adapter: Path, prompts: Mapping[str, Sequence[str]], direction: Path | None, seed: int = 0
) -> dict[str, float]:
    """Shift of the mean activation over the base's answers to each probe's prompts, in lengths of the residual stream.

    Args:
        base: Checkpoint.
        adapter: Folder of the adapter on it.
        prompts: Probe to texts of a user.
        direction: File of directions; what is known of the base for None.
        seed: Of the base's sampled answers.

    Returns:
        Probe to the mean over the layers of the file, along the one direction that each has: above 0 is towards the trait.

    Raises:
        SpilloverError: if there is no prompt, no direction is known, or one does not fit the model.
    """
    if not prompts:
        raise SpilloverError("No probe has a prompt of text whose activations could be measured; leave --screen-first out.")
    root = resolve_checkpoint(base)
    tokenizer, tuned = tokenizer_of(root), load_to_read(root, adapter)
    with torch.no_grad(), tuned.disable_adapter():  # type: ignore[operator]
        bases = _directions(root, tuned, direction, seed).bases
        layers = sorted(bases)
        chats = {name: [[{"role": "user", "content": text}] for text in texts] for name, texts in prompts.items()}
        answers = {name: complete(tuned, tokenizer, its, seed) for name, its in chats.items()}
        lengths = residual_lengths(tuned, tokenizer, [chat for its in answers.values() for chat in its], layers)
        before = {name: response_activations(tuned, tokenizer, its, layers) for name, its in answers.items()}
    out: dict[str, float] = {}
    for name, its in answers.items():
        after = response_activations(tuned, tokenizer, its, layers)
        gap = {k: (after[k].float().mean(0) - before[name][k].float().mean(0)) @ bases[k][0].float() for k in layers}
        out[name] = float(sum(float(gap[k]) / float(lengths[k]) for k in layers)) / len(layers)
    del tuned
    free_memory()
    return out


def require_direction(base: str, direction: Path | None) -> None:
    """What can be said before a model is loaded.

    Raises:
        SpilloverError: if no direction is given and none is known of the base, or one does not fit it.
    """
    root = resolve_checkpoint(base)
    if direction is not None:
        config = AutoConfig.from_pretrained(root, trust_remote_code=False).get_text_config()
        _stored(direction, int(config.hidden_size), int(config.num_hidden_layers))
    elif known_of(root) is None:
        raise SpilloverError(
            f"No direction is known of {base}: give --direction FILE, such as `spillover directions contrast` writes."
        )


def _directions(root: Path, model: torch.nn.Module, direction: Path | None, seed: int) -> Directions:
    if direction is None:
        tokenizer = tokenizer_of(root)
        finder = Finder(root, tokenizer, Path, partial(load_to_read, root), seed)
        finder.model = model
        return Contrast().find(finder)
    config = model.config.get_text_config()  # type: ignore[union-attr, operator]
    return _stored(direction, int(config.hidden_size), int(config.num_hidden_layers))


def _stored(path: Path, width: int, layers: int) -> Directions:
    found = load_directions(path, width)
    method = found.found.get("method", "contrast")
    if method not in SIGNED or any(len(rows) > 1 for rows in found.bases.values()):
        raise SpilloverError(
            f"{path} holds directions by {method}, which have no sign or are several; --screen-first takes one a "
            "layer, by contrast, probe or difference."
        )
    refuse_layers(found.bases, layers)
    return found
