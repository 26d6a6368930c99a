"""Changes to a training run, one file each, found by being here. They compose in the order of the recipe.

Two projections one after the other leave a part of the first direction unless both are orthogonal; `directions` as a list
projects off the span of all of them instead.
"""
