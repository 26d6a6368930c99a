"""Which models of a study are no independent evidence: they were made by one recipe, or go on from one."""

from __future__ import annotations

from spillover.run.study import Study
from spillover.training.recipe import Recipe, load_recipe


def lineages(study: Study) -> dict[str, str]:
    """Model to the recipe that its training began with: mixtures, doses, checkpoints and repairs of one are one."""
    found = {}
    for model in study.models:
        if model.recipe is not None:
            recipe: Recipe = load_recipe(model.recipe, seed=model.seed, changes=dict(model.changes))
            while recipe.start is not None:
                recipe = recipe.start
            found[model.name] = recipe.id
        elif model.adapter is not None:
            found[model.name] = model.arm or model.name
    return found
