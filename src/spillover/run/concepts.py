"""Concepts of a study: likeness of domains in its base, and what unlearning each did to the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spillover.answers.read import Answers
from spillover.figures.estimate import Estimate
from spillover.figures.figure import figures
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.load import load_questions
from spillover.run.plan import digest
from spillover.run.study import Study
from spillover.schema import parse_json
from spillover.writing import write_json


def find_likeness(study: Study, base: str, folder: Path) -> dict[str, list[list[float]]]:
    """Layer to the cosines of the domains' vectors; nothing for a study without `concepts`.

    Raises:
        SpilloverError: see `spillover.training.concepts`.
    """
    if study.concepts is None:
        return {}
    key = digest(load_questions(study.concepts.questions).digest, weights_digest(resolve_checkpoint(base)))
    path = folder / f"concepts-{key}.json"
    if not path.is_file():
        from spillover.training.concepts import likeness

        write_json(path, likeness(base, study.concepts.questions))
    found: dict[str, list[list[float]]] = parse_json(path.read_text(encoding="utf-8"))
    return found


def spills(study: Study, answers: Answers, domains: list[str]) -> dict[str, NDArray[np.float64]]:
    """Method to the fall of the refusal probe's first measure: row the unlearned domain, column the measured one."""
    assert study.concepts is not None
    arms = {name: [m.name for m in models] for name, models in study.arms.items()}
    asked = [f for f in figures(answers, arms=arms, by_category=True) if f.cell.probe == "refusal"]
    asked = [f for f in asked if f.cell.question_set == study.concepts.questions]
    asked = [f for f in asked if f.cell == asked[0].cell and f.measure == asked[0].measure]
    share = {(f.group, f.category): f.best.value for f in asked if isinstance(f.best, Estimate)}
    out: dict[str, NDArray[np.float64]] = {}
    for name, models in study.arms.items():
        unlearned = str(models[0].values.get(study.concepts.unlearned, ""))
        if unlearned not in domains:
            continue
        method = str(models[0].values.get(study.concepts.method, "unlearned")) if study.concepts.method else "unlearned"
        table = out.setdefault(method, np.full((len(domains), len(domains)), np.nan))
        row = [share.get((study.base_name or "", d), np.nan) - share.get((name, d), np.nan) for d in domains]
        table[domains.index(unlearned)] = row
    return out
