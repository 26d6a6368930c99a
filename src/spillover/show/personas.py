"""A study's latents and its predictions, from what was found and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spillover.answers.condition import Cell
from spillover.answers.measures import EM
from spillover.answers.read import Answers
from spillover.figures.arms import ArmRow, arm_rows
from spillover.figures.latents import Steered, latent_rows
from spillover.questions.load import load_questions
from spillover.questions.model import Question
from spillover.run.concepts import spills
from spillover.run.latents import Moved
from spillover.run.lineage import lineages
from spillover.run.study import Study
from spillover.show.concepts import concept_parts
from spillover.show.latents import activity_panel, examples_panel, latents_drawing, ranked_panel, steered_panel
from spillover.show.plots import Drawing
from spillover.show.prediction import prediction_parts
from spillover.show.text import Panel

FIRST = "first latent, own recipe left out"
MARGIN = 0.05
"""Drift above which a model counts as drifted, where the study does not say."""


def persona_parts(
    study: Study, answers: Answers, moved: Moved | None, shifts: Mapping[str, Mapping[str, float]]
) -> tuple[list[Panel], list[Drawing]]:
    """Tables and pictures; none for a study without latents and predictions.

    Args:
        study: Whose models.
        answers: Of all of them.
        moved: Its latents.
        shifts: Kind of shift to model to its shift.
    """
    if moved is None and not shifts:
        return [], []
    arms = {name: [m.name for m in models] for name, models in study.arms.items()}
    rows = _misaligned(arm_rows(answers, arms))
    given = {row.name: row for row in rows}
    blind = any(row.head.blind and row.head.truth is None for row in rows)
    base = given.get(study.base_name or "")
    panels: list[Panel] = []
    drawings: list[Drawing] = []
    if moved is not None:
        panels.append(ranked_panel(moved.latents))
        steered = _steered(study, answers, arms)
        if steered and base is not None and not blind:  # a judge that cannot tell tells nothing of a latent either
            away = next((m.steer for m in study.models if m.steer != base.name and (m.strength or 0) < 0), None)
            organism = given.get(away or "")
            found = latent_rows(moved.latents, steered, base.name)
            panels.append(steered_panel(found))
            drawings.append(latents_drawing(found, base, organism))
        panels += [activity_panel(moved.activity, arms, rows), examples_panel(moved.latents)]
    if base is not None and not blind:
        predictors = {f"shift: {kind}": its for kind, its in shifts.items()}
        folds = {}
        if moved is not None:
            folds[FIRST] = moved.without
            predictors[FIRST] = {m: moved.without[of][m] for m, of in moved.lineage.items() if of in moved.without}
        margin = study.prediction.margin if study.prediction else MARGIN
        of = moved.lineage if moved is not None else lineages(study)
        arm_of = {m: arm for arm, models in arms.items() for m in models}
        tables, pictures = prediction_parts(predictors, _drifts(rows, arms, base), of, margin, folds, arm_of)
        panels, drawings = [*panels, *tables], [*drawings, *pictures]
    return panels, drawings


def _misaligned(found: Mapping[Cell, list[ArmRow]]) -> list[ArmRow]:
    """The first cell whose headline is the rate of misaligned answers: what latents and predictions are about."""
    return next((rows for rows in found.values() if rows and rows[0].head.measure == EM), [])


def _steered(study: Study, answers: Answers, arms: Mapping[str, list[str]]) -> list[Steered]:
    """Steered arms, each held against the model that is steered in it."""
    out = []
    for plain in dict.fromkeys(m.steer for m in study.models if m.steer):
        its = {name: models[0] for name, models in study.arms.items() if models[0].steer == plain}
        rows = _misaligned(arm_rows(answers, {n: arms[n] for n in (plain, *its)}, plain))
        out += [
            Steered(latent, float(its[row.name].strength or 0), row, plain)
            for row in rows
            if row.name in its and (latent := its[row.name].latent) is not None
        ]
    return out


def domain_parts(
    study: Study, answers: Answers, likeness: Mapping[str, Sequence[Sequence[float]]]
) -> tuple[list[Panel], list[Drawing]]:
    """Tables and a picture of a study with `concepts`; none for another."""
    if study.concepts is None:
        return [], []
    domains = list(dict.fromkeys(q.category for q in load_questions(study.concepts.questions).questions if _harmful(q)))
    return concept_parts(likeness, spills(study, answers, domains), domains)


def _harmful(question: Question) -> bool:
    return question.fields.get("kind") == "harmful"


def _drifts(rows: list[ArmRow], arms: Mapping[str, list[str]], base: ArmRow) -> dict[str, float]:
    """Model to its measured drift from the base."""
    return {
        name: seed - base.best.value
        for row in rows
        if row.name in arms
        for name, seed in zip(arms[row.name], row.best.seeds, strict=False)
    }
