"""Models of a study that are steered along latents: the autoencoder, its ranking and the files, made once and kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.load import load_questions
from spillover.run.lineage import lineages
from spillover.run.plan import digest
from spillover.run.study import Study
from spillover.writing import write_bytes

if TYPE_CHECKING:
    from spillover.mechanism.latents import Latent

Bar = Callable[[str], AbstractContextManager[Callable[[int, int, str], None]]]
SAE, ACTIVITY = "sae", "activity.safetensors"
REVISION = 2
"""Of how latents are found and ranked."""


@dataclass(frozen=True)
class Moved:
    """What is known of a study's latents.

    Attributes:
        folder: With `sae/`, `latents.json`, a file of directions for each latent, and every model's activity.
        latents: Ranked.
        activity: Model to the mean activation of each ranked latent, the base's under the base's name.
        without: Recipe to every model's shift of the latent that is first where that recipe is left out of the ranking.
        lineage: Model to its recipe.
    """

    folder: Path
    latents: list[Latent]
    activity: Mapping[str, tuple[float, ...]]
    without: Mapping[str, Mapping[str, float]]
    lineage: Mapping[str, str]


def latents_folder(study: Study, adapters: Mapping[str, Path | None], base: str, folder: Path) -> Path:
    """Where they are kept: named by the settings, the base and all adapters."""
    assert study.latents is not None
    models = {m.name: weights_digest(p) for m in study.models if m.steer is None and (p := adapters[m.name])}
    settings = [REVISION, study.latents.model_dump(mode="json"), load_questions(study.latents.questions).digest]
    settings.append(any(m.latent == "random" for m in study.models))
    return folder / f"latents-{digest(settings, models, weights_digest(resolve_checkpoint(base)), study.seed)}"


def find_latents(study: Study, adapters: Mapping[str, Path | None], base: str, folder: Path, bar: Bar) -> Path | None:
    """Train, rank and write what is not there yet.

    Args:
        study: With `latents`; None is returned for one without.
        adapters: Model to the folder of its adapter, None for the base.
        base: Checkpoint.
        folder: Of the study.
        bar: Makes a progress bar.

    Raises:
        SpilloverError: see `spillover.training.latents`.
    """
    wanted = study.latents
    if wanted is None:
        return None
    place = latents_folder(study, adapters, base, folder)
    if place.is_dir():
        return place
    from safetensors.numpy import save

    from spillover.mechanism.latents import ranked
    from spillover.training.latents import activities, prompts_of, random_latent, train_sae, write_latents

    with bar("autoencoder") as advance:
        made = train_sae(
            base,
            wanted.texts,
            wanted.layer,
            wanted.features,
            wanted.active,
            wanted.tokens,
            wanted.steps,
            study.seed,
            advance,
        )
    organisms = {m.name: p for m in study.models if m.steer is None and (p := adapters[m.name])}
    with bar("latents of each model") as advance:
        prompts = prompts_of(base, wanted.questions, wanted.first)
        plain, found, length = activities(base, organisms, made, prompts, study.seed, advance)
    chosen = {m.name: found[m.name] for name in wanted.organisms for m in study.arms[name]}
    latents = ranked(plain, chosen, wanted.top)
    wants = any(m.latent == "random" for m in study.models)
    control = random_latent(plain, chosen, latents, study.seed) if wants else None
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".latents-") as part:  # whole or not at all
        whole = Path(part) / "whole"
        whole.mkdir()
        made.save(whole / SAE)
        write_latents(latents, made, length, base, whole, control)
        means = {study.base_name or "base": plain.mean, **{name: a.mean for name, a in found.items()}}
        write_bytes(whole / ACTIVITY, save({name: mean.numpy() for name, mean in means.items()}))
        os.replace(whole, place)
    return place


def check_latents(study: Study, base: str, folder: Path) -> None:
    """Say before anything is trained what cannot be found in this base.

    Raises:
        SpilloverError: for a layer that it does not have, texts that are not known of it, or a folder whose name would be
            read as a change.
    """
    if study.latents is None:
        return
    from spillover.training.latents import check_sae

    wanted = study.latents
    check_sae(base, wanted.texts, wanted.layer, wanted.features, wanted.active)
    if "+" in str(folder) and any(m.steer for m in study.models):
        raise SpilloverError(f"{folder} has a plus in its name, where a change of a model begins; take another --out.")


def changes_of(study: Study, place: Path | None) -> dict[str, str]:
    """Model to what follows the adapter in its name: `+steer=FILE@0.4`."""
    out = {}
    for model in study.models:
        if model.steer is not None and place is not None:
            rank = model.latent if isinstance(model.latent, str) else f"{model.latent:02d}"
            out[model.name] = f"+steer={place / rank}.safetensors@{float(model.strength or 0)}"
    return out


def read_moved(study: Study, place: Path) -> Moved:
    """What `find_latents` left there."""
    import numpy as np
    from safetensors.numpy import load_file

    from spillover.training.latents import read_latents

    assert study.latents is not None
    latents, means = read_latents(place), load_file(place / ACTIVITY)
    numbers = [latent.number for latent in latents]
    known = {name: tuple(float(mean[n]) for n in numbers) for name, mean in means.items()}
    base = means[study.base_name or "base"]
    of = lineages(study)
    ranked = [m.name for name in study.latents.organisms for m in study.arms[name]]
    without = {}
    for recipe in dict.fromkeys(of.values()):
        others = [means[name] for name in ranked if of.get(name) != recipe]
        if others:
            first = int((np.mean(others, axis=0) - base).argmax())
            without[recipe] = {name: float(mean[first] - base[first]) for name, mean in means.items() if name in of}
    return Moved(place, latents, known, without, of)
