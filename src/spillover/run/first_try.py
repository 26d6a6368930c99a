"""A first try of a study: its whole way in minutes."""

from __future__ import annotations

import json

from spillover.run.study import Study


def first_try(study: Study, limit: int) -> Study:
    """The study with its first training seed, one answer to a question, and organisms as they are after the last step.

    What is trained and asked is cut elsewhere: see `spillover.training.first_try` and `spillover.run.studies.run_study`.
    """
    first = next((m.seed for m in study.models if m.seed is not None), None)
    kept = [m.model_copy(update={"step": None}) for m in study.models if m.seed in (None, first)]
    # Checkpoints of one run are one organism now, and would be asked the same twice.
    made = {
        json.dumps([m.recipe, m.adapter, m.changes, m.between, m.at, m.steer, m.latent, m.strength], default=str): m
        for m in reversed(kept)
    }
    models = tuple(made.values())[::-1]
    there = {m.arm for m in models}
    models = tuple(m for m in models if m.steer is None or m.steer in there)
    probes = tuple(p.model_copy(update={"epochs": 1}) for p in study.probes)
    title = f"{study.title} (a first try of {limit} steps and {limit} answers a probe: its figures say nothing)"
    latents = study.latents and study.latents.model_copy(
        update={"steps": limit, "first": limit, "tokens": study.latents.features}
    )
    update = {"models": models, "probes": probes, "title": title, "latents": latents}
    short = study.model_copy(
        update={**update, "prediction": study.prediction and study.prediction.model_copy(update={"first": limit})}
    )
    return with_arms(short)


def with_arms(study: Study) -> Study:
    """The study without the names of arms that it no longer has; without any arm to rank by nothing is steered."""
    if study.latents is None:
        return study
    there = tuple(name for name in study.latents.organisms if name in study.arms)
    if there:
        return study.model_copy(update={"latents": study.latents.model_copy(update={"organisms": there})})
    return study.model_copy(update={"latents": None, "models": tuple(m for m in study.models if m.steer is None)})
