"""Autoencoders of a base, and the latents of them that organisms move: what `spillover sae` and studies of personas do."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from spillover.errors import SpilloverError
from spillover.mechanism.activations import all_states, complete, residual_lengths
from spillover.mechanism.autoencoder import Autoencoder
from spillover.mechanism.dictionary import fit_autoencoder
from spillover.mechanism.directions import Directions, orthonormal, save_directions
from spillover.mechanism.latents import Activity, Latent, activity
from spillover.mechanism.layers import at_depth, pick_layers, refuse_layers
from spillover.models.weights import model_digest, resolve_checkpoint
from spillover.questions.chats import Chat
from spillover.questions.load import load_questions
from spillover.schema import parse_json
from spillover.training.directions import known_of
from spillover.training.loading import load_to_read
from spillover.training.preflight import tokenizer_of
from spillover.training.sources import Source
from spillover.writing import write_json

logger = logging.getLogger(__name__)
TOKENS_A_CHAT = 64
"""Of a text, at the least: so many are drawn from a source without an end."""
DRAWN = 64
"""Prompts whose answers the length of the residual stream is the mean over."""
Advance = Callable[[int, int, str], None]


def known_texts(root: Path) -> Source | None:
    """What is known of a base as texts to read; None for any other base than the lab's."""
    known = known_of(root)
    return known.texts if known else None


def train_sae(
    base: str,
    texts: Source | None,
    depth: float,
    features: int,
    active: int,
    tokens: int,
    steps: int,
    seed: int = 0,
    advance: Advance = lambda done, total, note: None,
) -> Autoencoder:
    """Fit an autoencoder to what a base makes of texts.

    Args:
        base: Checkpoint.
        texts: Chats; those that are known of the base for None.
        depth: Layer by number, or by its share of the depth.
        features: Number of latents.
        active: Of them for each token.
        tokens: Most tokens that are read; all are kept in memory, two bytes a number.
        steps: See `fit_autoencoder`.
        seed: Of everything that is drawn.
        advance: See `fit_autoencoder`.

    Raises:
        SpilloverError: for a layer that is not there, or texts that are none, too few or unknown.
    """
    check_sae(base, texts, depth, features, active)
    root = resolve_checkpoint(base)
    source = texts or known_texts(root)
    assert source is not None
    model, tokenizer = load_to_read(root), tokenizer_of(root)
    (layer,) = pick_layers(model, [depth])
    rows = -(-tokens // TOKENS_A_CHAT) if source.endless else None
    states = all_states(model, tokenizer, source.chats(seed, rows), layer, tokens)
    del model
    made = fit_autoencoder(states, features, active, layer, steps, seed, advance)
    told = {**made.told, "base": model_digest(root), "model_name": Path(base).name, "texts": source.model_dump(mode="json")}
    return replace(made, told=told)


def check_sae(base: str, texts: Source | None, depth: float, features: int, active: int) -> None:
    """What can be said before a model is loaded.

    Raises:
        SpilloverError: for a layer that is not there, more active latents than there are, or no texts where none are known.
    """
    from transformers import AutoConfig

    root = resolve_checkpoint(base)
    if active > features:
        raise SpilloverError(f"Of {features} latents {active} can not be active; give fewer as `active` (--active).")
    if texts is None and known_texts(root) is None:
        raise SpilloverError(f"Nothing is known of {base} to read: give `texts` (--texts), a source of chats.")
    count = int(AutoConfig.from_pretrained(root, trust_remote_code=False).get_text_config().num_hidden_layers)
    refuse_layers(at_depth([depth], count), count)


def prompts_of(base: str, questions: str | None, first: int | None) -> list[Chat]:
    """Prompts of a question set; a known base has its own.

    Raises:
        SpilloverError: if there is none.
    """
    known = known_of(resolve_checkpoint(base))
    name = questions or (known.questions if known else None)
    if name is None:
        raise SpilloverError("Give --questions, a question set whose prompts are asked.")
    found = [text for q in load_questions(name).questions for text in q.paraphrases]
    return [[{"role": "user", "content": text}] for text in found[:first]]


def layer_read(autoencoder: Autoencoder, count: int) -> int:
    """The layer that an autoencoder of a model with `count` layers reads.

    Raises:
        SpilloverError: if it does not say, or the model has no such layer.
    """
    if autoencoder.layer is None:
        raise SpilloverError("The autoencoder does not say which layer it reads; add metadata.hook_name to its cfg.json.")
    if not 0 <= autoencoder.layer < count:
        raise SpilloverError(f"The autoencoder reads layer {autoencoder.layer}; the model has layers 0 to {count - 1}.")
    return autoencoder.layer


def activities(
    base: str,
    organisms: Mapping[str, Path],
    autoencoder: Autoencoder,
    prompts: Sequence[Chat],
    seed: int = 0,
    advance: Advance = lambda done, total, note: None,
) -> tuple[Activity, dict[str, Activity], float]:
    """Latents of the base and of each organism over its own answers, one model in memory at a time.

    Returns:
        The base's, each organism's, and the usual length of the base's residual stream there (the unit of steering).
    """
    root = resolve_checkpoint(base)
    tokenizer, model = tokenizer_of(root), load_to_read(root)
    width = int(model.config.get_text_config().hidden_size)  # type: ignore[union-attr, operator]
    if autoencoder.width != width:
        raise SpilloverError(f"The autoencoder is of width {autoencoder.width}; the model's hidden size is {width}.")
    made_in = str(autoencoder.told.get("base") or "")
    if made_in and made_in != model_digest(root):
        logger.warning("The autoencoder was trained on another checkpoint (%s) than %s.", made_in, base)
    layer = layer_read(autoencoder, len(pick_layers(model, None)))
    plain = activity(model, tokenizer, autoencoder, layer, prompts, seed)
    answers = complete(model, tokenizer, prompts[:DRAWN], seed)
    length = float(residual_lengths(model, tokenizer, answers, [layer])[layer])
    del model
    out = {}
    for done, (name, folder) in enumerate(organisms.items()):
        advance(done, len(organisms), name)
        out[name] = activity(load_to_read(root, folder), tokenizer, autoencoder, layer, prompts, seed)
    advance(len(organisms), len(organisms), "done")
    return plain, out, length


def latent_direction(autoencoder: Autoencoder, number: int, length: float, layer: int, base: str = "") -> Directions:
    """One latent's decoder row as a direction that a model can be steered along.

    Raises:
        SpilloverError: for a number that it does not have.
    """
    if not 0 <= number < autoencoder.features:
        raise SpilloverError(f"The autoencoder has {autoencoder.features} latents, numbered from 0; there is no {number}.")
    row = autoencoder.decoder[number][None]
    told = {"method": "sae", "features": [number], **({"base": base} if base else {})}
    return Directions(
        {layer: orthonormal(row)}, norms={layer: row.norm(dim=1)}, scales={layer: torch.tensor([length])}, found=told
    )


def random_latent(base: Activity, organisms: Mapping[str, Activity], apart: Sequence[Latent], seed: int) -> int:
    """One of the latents that the base uses and the organisms move least: what any direction at all would do.

    Drawn among the quarter of the active ones with the smallest mean shift, the ranked ones left out.

    Raises:
        SpilloverError: if there is none.
    """
    ranked = {latent.number for latent in apart}
    shift = (torch.stack([a.mean for a in organisms.values()]).mean(0) - base.mean).abs()
    alive = [i for i in (base.mean > 0).nonzero()[:, 0].tolist() if i not in ranked]
    if not alive:
        raise SpilloverError("No latent but the ranked ones is ever active; there is none to compare with.")
    still = sorted(alive, key=lambda i: float(shift[i]))[: max(1, len(alive) // 4)]
    return int(random.Random(seed).choice(still))


def write_latents(
    latents: Sequence[Latent], autoencoder: Autoencoder, length: float, base: str, folder: Path, control: int | None = None
) -> None:
    """Each latent as a file of directions, `01.safetensors` the first, and `latents.json` of all."""
    assert autoencoder.layer is not None
    folder.mkdir(parents=True, exist_ok=True)
    digest = model_digest(resolve_checkpoint(base))
    files = {f"{place:02d}": latent.number for place, latent in enumerate(latents, 1)}
    files |= {} if control is None else {RANDOM: control}
    for name, number in files.items():
        made = latent_direction(autoencoder, number, length, autoencoder.layer, digest)
        save_directions(made, folder / f"{name}.safetensors")
    told = {"layer": autoencoder.layer, "length": length, "base": digest, "autoencoder": dict(autoencoder.told)}
    written = {**told, "control": control, "latents": [asdict(latent) for latent in latents]}
    write_json(folder / "latents.json", written)


def read_latents(folder: Path) -> list[Latent]:
    """What `write_latents` wrote."""
    found = parse_json((folder / "latents.json").read_text(encoding="utf-8"))
    return [
        Latent(x["number"], x["base"], tuple(x["organisms"]), tuple((m, a, v) for m, a, v in x["texts"]))
        for x in found["latents"]
    ]


RANDOM = "random"
"""File of the control."""
