"""What a study's organisms show of themselves, without an answer: what was sampled while training, how alike updates are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from spillover.figures.likeness import curves
from spillover.figures.sampled import sampled
from spillover.mechanism.likeness import began_alike
from spillover.run.between import compared
from spillover.run.study import Study
from spillover.show.likeness import likeness_parts
from spillover.show.plots import Drawing
from spillover.show.sampled import sampled_parts
from spillover.show.text import Panel
from spillover.training.card import read_card


def training_parts(study: Study, folders: Mapping[str, Path]) -> Iterator[tuple[list[Panel], list[Drawing]]]:
    """Tables and pictures.

    Args:
        study: Whose organisms.
        folders: Model to the folder of its organism.
    """
    cards = {
        arm: [card for m in models if m.name in folders and (card := read_card(folders[m.name]))]
        for arm, models in study.arms.items()
    }
    yield sampled_parts(sampled(cards))
    if study.geometry:
        from spillover.mechanism.files import AdapterFile
        from spillover.mechanism.subspaces import compare

        named, groups = compared(study, folders)
        likeness, inner = compare([AdapterFile(str(folder), name) for name, folder in named], pairs=groups)
        yield likeness_parts(curves(likeness, inner, groups), list(began_alike(inner)))
