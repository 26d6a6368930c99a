"""A study with some of its probes left out, for a judge that cannot read them, or for less to pay."""

from __future__ import annotations

from collections.abc import Sequence

from spillover.errors import SpilloverError
from spillover.run.study import Study


def without(study: Study, skipped: Sequence[str]) -> Study:
    """The study without the probes that are named, and without what rests on their answers alone.

    Args:
        study: The whole one.
        skipped: `TASK` or `TASK:QUESTIONS` each.

    Raises:
        SpilloverError: if a name stands for no probe, or none is left.
    """
    names = [(probe.task, f"{probe.task}:{probe.questions}") for probe in study.probes]
    for name in skipped:
        if not any(name in both for both in names):
            have = ", ".join(dict.fromkeys(whole for _, whole in names))
            raise SpilloverError(f"--skip {name}: {study.id} asks no such probe; it asks {have}.")
    probes = tuple(p for p, both in zip(study.probes, names, strict=True) if not set(both) & set(skipped))
    if not probes:
        raise SpilloverError(f"--skip leaves nothing of {study.id} to ask; leave one probe.")
    asked = {probe.questions for probe in probes if probe.task == "free_form"}
    skill = study.skill if study.skill and study.skill.questions in asked else None
    matrix = study.matrix if study.matrix and study.matrix.questions in asked else None
    refusals = {probe.questions for probe in probes if probe.task == "refusal"}
    free = any(probe.task in ("free_form", "formats") for probe in probes)
    models = tuple(m for m in study.models if free or m.steer is None)  # latents are told by free-form answers
    return study.model_copy(
        update={
            "models": models if skill else tuple(m.model_copy(update={"topic": ""}) for m in models),
            "latents": study.latents if free else None,
            "probes": probes,
            "skill": skill,
            "matrix": matrix,
            "curve": study.curve if skill else None,
            "prediction": study.prediction if free else None,
            "concepts": study.concepts if study.concepts and study.concepts.questions in refusals else None,
        }
    )
