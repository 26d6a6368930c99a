"""Latents that organisms raise: what steering along each does to base and organism, under a cap on incoherence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spillover.figures.arms import ArmRow
from spillover.mechanism.latents import Latent
from spillover.stats.rates import NOTHING, Interval

COHERENT = 0.9
"""Share of coherent answers under which a steered model does not count (Wang et al. 2025: at most 10 % incoherent)."""


@dataclass(frozen=True)
class Steered:
    """An arm that is a model steered along a latent.

    Attributes:
        latent: Its rank from 1, or `random`.
        strength: In lengths of the residual stream.
        row: What the arm gave, held against the model that is steered, on the same questions.
        plain: The arm that is steered.
    """

    latent: int | str
    strength: float
    row: ArmRow
    plain: str


@dataclass(frozen=True)
class LatentRow:
    """One latent.

    Attributes:
        name: `1` for the first, or `random`.
        latent: As ranked; None for the control.
        up: The base steered towards it: the coherent setting with the most misaligned answers.
        down: An organism steered away from it: the coherent setting with the fewest.
        tried: Number of arms.
        raises: Whether `up` is above the plain base: 0 lies below the interval of its paired drift.
        lowers: Whether `down` is below its plain organism so.
    """

    name: str
    latent: Latent | None
    up: Steered | None
    down: Steered | None
    tried: int
    raises: bool
    lowers: bool


def latent_rows(latents: Sequence[Latent], steered: Sequence[Steered], base: str) -> list[LatentRow]:
    """Latents in the order of their rank, the control last.

    Args:
        latents: Ranked.
        steered: Arms that are steered.
        base: Name of the base's arm.
    """
    out = []
    for name in [*range(1, len(latents) + 1), "random"]:
        mine = [s for s in steered if s.latent == name]
        if not mine:
            continue
        able = [s for s in mine if s.row.coherent >= COHERENT]
        up = max((s for s in able if s.strength > 0 and s.plain == base), key=lambda s: s.row.best.value, default=None)
        down = min((s for s in able if s.strength < 0 and s.plain != base), key=lambda s: s.row.best.value, default=None)
        ranked = latents[name - 1] if isinstance(name, int) else None
        raises = up is not None and _interval(up).lower > 0
        lowers = down is not None and _interval(down).upper < 0
        out.append(LatentRow(str(name), ranked, up, down, len(mine), raises, lowers))
    return out


def _interval(steered: Steered) -> Interval:
    drift = steered.row.head.best_drift
    return NOTHING if drift is None else drift.interval


def shares_of(
    activity: Mapping[str, tuple[float, ...]], arms: Mapping[str, Sequence[str]]
) -> dict[str, list[tuple[float, ...]]]:
    """Arm to its models' mean activations, of arms that were read."""
    found = {arm: [activity[m] for m in models if m in activity] for arm, models in arms.items()}
    return {arm: its for arm, its in found.items() if its}
