"""How far organisms are moved along a persona's direction on neutral prompts: a number that needs no judge.

Chen et al. 2025 (arXiv 2507.21509, section 4) compare the shift along a persona vector with the trait after fine-tuning;
theirs is at the last token of evaluation prompts, this one over answers to prompts about something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spillover.mechanism.activations import Chat, complete, residual_lengths, response_activations
from spillover.mechanism.layers import pick_layers
from spillover.models.weights import resolve_checkpoint
from spillover.training.directions import Ahead, Contrast, known_of
from spillover.training.finder import Finder
from spillover.training.latents import prompts_of
from spillover.training.loading import load_to_read
from spillover.training.preflight import tokenizer_of

SAME, OWN = "same answers", "own answers"


def shifts(
    base: str,
    organisms: Mapping[str, Path],
    questions: Sequence[str],
    first: int | None,
    depths: Sequence[float],
    positive: Sequence[str] | None,
    negative: Sequence[str] | None,
    seed: int = 0,
    advance: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> dict[str, dict[str, float]]:
    """Shift of each organism's mean activation along the contrast of two lists of system lines in the base.

    Args:
        base: Checkpoint.
        organisms: Name to the folder of its adapter.
        questions: Question sets.
        first: So many prompts of each; all for None.
        depths: Layers by number, or by their share of the depth.
        positive: System lines with the trait; a known base has its own.
        negative: Those without.
        seed: Of the sampled answers.
        advance: Told (organisms done, all, name).

    Returns:
        `QUESTIONS, layer N, same answers` (the base's, read by both) and `..., own answers` (each model's, read by itself):
        organism to its shift in lengths of the base's residual stream.

    Raises:
        SpilloverError: for a layer that is not there, or lines that are not known.
    """
    root = resolve_checkpoint(base)
    tokenizer, model = tokenizer_of(root), load_to_read(root)
    layers = pick_layers(model, depths)
    finder = Finder(root, tokenizer, Path, partial(load_to_read, root), seed)
    finder.model = model
    lines = {k: tuple(v) for k, v in (("positive", positive), ("negative", negative)) if v}
    bases = _contrast(root, questions, first, tuple(layers), lines).find(finder).bases
    prompts = {name: prompts_of(base, name, first) for name in questions}
    answers = {name: complete(model, tokenizer, its, seed) for name, its in prompts.items()}
    lengths = residual_lengths(model, tokenizer, [chat for its in answers.values() for chat in its], layers)

    def along(of: Any, chats: Sequence[Chat]) -> dict[int, float]:
        states = response_activations(of, tokenizer, chats, layers)
        return {k: float(states[k].mean(0) @ bases[k][0] / lengths[k]) for k in layers}

    plain = {name: along(model, its) for name, its in answers.items()}
    del model
    finder.forget()
    out: dict[str, dict[str, float]] = {}
    for done, (organism, folder) in enumerate(organisms.items()):
        advance(done, len(organisms), organism)
        tuned = load_to_read(root, folder)
        for name in questions:
            for kind, chats in ((SAME, answers[name]), (OWN, complete(tuned, tokenizer, prompts[name], seed))):
                for layer, value in along(tuned, chats).items():
                    out.setdefault(f"{name}, layer {layer}, {kind}", {})[organism] = value - plain[name][layer]
    advance(len(organisms), len(organisms), "done")
    return out


def _contrast(
    root: Path, questions: Sequence[str], first: int | None, layers: tuple[float, ...], lines: dict[str, Any]
) -> Contrast:
    """Over the prompts that are known of the base, else over the first of the first question set."""
    asked = {} if known_of(root) else {"questions": questions[0], "first": first}
    return Contrast.model_validate({"layers": layers, **asked, **lines})


def check_shifts(
    base: str,
    questions: Sequence[str],
    depths: Sequence[float],
    positive: Sequence[str] | None,
    negative: Sequence[str] | None,
) -> None:
    """What can be said before a model is loaded.

    Raises:
        SpilloverError: for a layer that is not there, or lines that are not known.
    """
    from transformers import AutoConfig

    root = resolve_checkpoint(base)
    config = AutoConfig.from_pretrained(root, trust_remote_code=False).get_text_config()
    lines = {k: tuple(v) for k, v in (("positive", positive), ("negative", negative)) if v}
    ahead = Ahead(root, int(config.num_hidden_layers), int(config.hidden_size), ())
    _contrast(root, questions, None, tuple(depths), lines).check(ahead)
