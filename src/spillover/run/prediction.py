"""What can be known of a study's models before an answer is judged: how far each is moved along a persona's direction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.questions.load import load_questions
from spillover.run.latents import Bar
from spillover.run.plan import digest
from spillover.run.study import Study
from spillover.schema import parse_json
from spillover.writing import write_json

REVISION = 2
"""Of how shifts are measured."""


def check_prediction(study: Study, base: str) -> None:
    """Say before anything is trained what cannot be read of this base.

    Raises:
        SpilloverError: see `spillover.training.shifts.check_shifts`.
    """
    if study.prediction is not None:
        from spillover.training.shifts import check_shifts

        asked = study.prediction
        check_shifts(base, asked.questions, asked.layers, asked.positive, asked.negative)


def find_shifts(
    study: Study, adapters: Mapping[str, Path | None], base: str, folder: Path, bar: Bar
) -> dict[str, dict[str, float]]:
    """Kind of shift to model to its shift, in lengths of the base's residual stream; nothing where none is predicted.

    Args:
        study: Whose models.
        adapters: Model to the folder of its adapter, None for the base.
        base: Checkpoint.
        folder: Of the study, where they are kept.
        bar: Makes a progress bar.

    Raises:
        SpilloverError: for a layer that is not there, or lines and questions that are not known.
    """
    wanted = study.prediction
    if wanted is None:
        return {}
    organisms = {m.name: p for m in study.models if m.steer is None and (p := adapters[m.name])}
    weights = {name: weights_digest(path) for name, path in organisms.items()}
    sets = [load_questions(name).digest for name in wanted.questions]
    key = digest(
        REVISION, wanted.model_dump(mode="json"), sets, weights, weights_digest(resolve_checkpoint(base)), study.seed
    )
    path = folder / f"shifts-{key}.json"
    if path.is_file():
        found: dict[str, dict[str, float]] = parse_json(path.read_text(encoding="utf-8"))
        return found
    from spillover.training.shifts import shifts

    with bar("shifts before judging") as advance:
        found = shifts(
            base,
            organisms,
            wanted.questions,
            wanted.first,
            wanted.layers,
            wanted.positive,
            wanted.negative,
            study.seed,
            advance,
        )
    write_json(path, found)
    return found
