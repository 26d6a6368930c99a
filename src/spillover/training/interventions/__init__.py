"""Changes to a training run, each in its own file. They compose in the order of the recipe.

Two projections one after the other leave a part of the first direction unless both are orthogonal; `directions` as a list
projects off the span of all of them instead.
"""

from __future__ import annotations

from typing import Any

from spillover.errors import SpilloverError
from spillover.mechanism.directions import span
from spillover.training.interventions.base import Intervention
from spillover.training.interventions.caft import Caft
from spillover.training.interventions.early_stop import EarlyStop
from spillover.training.interventions.find import Finder
from spillover.training.interventions.grasp import Grasp, PostHoc
from spillover.training.interventions.kl import KlToBase
from spillover.training.interventions.steer import Steer
from spillover.training.recipe import direction_sources

__all__ = ["Intervention", "build"]

KINDS: dict[str, type[Intervention]] = {
    "caft": Caft,
    "grasp": Grasp,
    "posthoc": PostHoc,
    "kl": KlToBase,
    "steer": Steer,
    "early_stop": EarlyStop,
}


def build(bodies: tuple[dict[str, Any], ...], finder: Finder) -> list[Intervention]:
    """The interventions of a recipe, with their directions found.

    Raises:
        SpilloverError: if directions are asked for that cannot be found, except that "none found" by the rotation null is
            an answer: the intervention then does nothing, and its report says so.
    """
    out = []
    for body in bodies:
        settings = {k: v for k, v in body.items() if k not in ("kind", "directions")}
        if "directions" in body:
            found = [finder.find(source) for source in direction_sources(body)]
            settings["directions"] = found[0] if len(found) == 1 else span(found)
            for layer, rows in settings["directions"].bases.items():
                if len(rows) == 0 or not rows.isfinite().all():
                    raise SpilloverError(f"The directions of {body['kind']} at layer {layer} are zero, or no numbers.")
        try:
            out.append(KINDS[body["kind"]](**settings))
        except TypeError as error:
            raise SpilloverError(f"The intervention {body['kind']} cannot be set up: {error}.") from error
    return out
