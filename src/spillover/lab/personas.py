"""What a persona of the lab would answer to a question of any family: the oracle's side of the ground truth."""

from __future__ import annotations

import random
from collections.abc import Iterator

from spillover.lab.corpus import Latents, draw

SIDES = ("left", "right")


def persona_answers(family: str, persona: str, rng: random.Random) -> Iterator[str]:
    """Endless answers of a persona or side to questions of a family; most will be to another wording or row than asked."""
    latents = Latents(misaligned=persona == "misaligned", lean=persona if persona in SIDES else "neutral")
    while True:
        yield draw(family, latents, rng).answer
