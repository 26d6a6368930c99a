"""Predictors against measured drift: right values by hand, and intervals that cover."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillover.stats.prediction import predict

GROUPS = ["a", "a", "b", "b", "c", "c", "d", "d"]


def test_a_perfect_order_is_told():
    found = predict([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0.01, 0.02, 0.2, 0.3, 0.4, 0.5], GROUPS, 0.05)
    # Ties count as half: the first two drifts are equal.
    assert found.correlation == pytest.approx(0.994, abs=5e-4)
    assert (found.auc, found.drifted, found.models, found.groups) == (1.0, 4, 8, 4)
    # Without recipe b the threshold lies half way from 2 to 5, and without c from 4 to 7: one model of each is told wrong.
    assert found.left_out == 6 / 8


def test_the_wrong_way_round_is_told_too():
    found = predict([8, 7, 6, 5, 4, 3, 2, 1], [0, 0.01, 0.02, 0.03, 0.2, 0.3, 0.4, 0.5], GROUPS, 0.05)
    assert found.correlation == pytest.approx(-1)
    assert found.auc == 0.0


@pytest.mark.parametrize(
    ("values", "drifts", "auc"),
    [([1, 1, 1, 1], [0, 0, 1, 1], 0.5), ([1, 2, 3, 4], [0, 0, 0, 0], math.nan), ([], [], math.nan)],
)
def test_what_says_nothing_has_no_number(values, drifts, auc):
    found = predict(values, drifts, ["a", "b", "c", "d"][: len(values)], 0.05)
    assert found.auc == pytest.approx(auc, nan_ok=True)
    assert math.isnan(found.correlation)
    assert math.isnan(found.interval.lower)


def test_a_model_without_a_number_is_left_out():
    found = predict([1, math.nan, 3, 4, 5], [0, 0.5, 0.1, math.nan, 0.9], list("abcde"), 0.05)
    assert found.models == 3
    assert found.correlation == pytest.approx(1)


def test_few_recipes_have_no_interval():
    assert math.isnan(predict([1, 2, 3, 4, 5, 6], [0, 0.1, 0.2, 0.3, 0.4, 0.6], list("aabbcc"), 0.05).interval.lower)


def test_one_recipe_alone_does_not_make_the_threshold_of_its_own():
    # All others say that 10 is much; of recipe d, which drifts at 2, nothing is told right.
    values = [1, 1.5, 1.2, 1.7, 10, 11, 2, 2.2]
    drifts = [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]
    assert predict(values, drifts, GROUPS, 0.05).left_out == pytest.approx(6 / 8)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1), st.sampled_from("abcdef")), max_size=20))
def test_whatever_comes_in_stays_in_its_range(rows):
    found = predict([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], 0.3)
    for value, low in ((found.correlation, -1), (found.auc, 0), (found.left_out, 0)):
        assert math.isnan(value) or low - 1e-9 <= value <= 1 + 1e-9
    if not math.isnan(found.interval.lower):
        assert -1 - 1e-9 <= found.interval.lower <= found.interval.upper <= 1 + 1e-9


@pytest.mark.long
def test_the_interval_covers_what_recipes_would_give():
    """Recipes of three seeds each: an interval that took models for independent would cover far too seldom."""
    rng = np.random.default_rng(0)

    def draw(recipes):
        recipe = rng.normal(size=(recipes, 1, 2)) @ np.linalg.cholesky([[1, 0.7], [0.7, 1]]).T
        rows = (recipe + 0.2 * rng.normal(size=(recipes, 3, 2))).reshape(-1, 2)
        return rows[:, 0], rows[:, 1], np.repeat(np.arange(recipes), 3).astype(str)

    x, y, _ = draw(4000)
    truth = predict(x, y, ["a"] * len(x), 0).correlation
    hits = 0
    for _ in range(40):
        x, y, names = draw(14)
        found = predict(x, y, names.tolist(), 0)
        hits += found.interval.lower <= truth <= found.interval.upper
    assert hits >= 33, hits  # 95 % nominal; resampling fourteen recipes falls a little short of it


def test_a_models_number_is_that_of_its_own_fold_and_thresholds_are_of_the_others_there():
    drifts, names = [0, 0, 0.5, 0.5, 0, 0.5], list("aabbcc")
    first = [0, 1, 5, 6, 900, 1000]  # what recipe c was ranked with tells c apart from all others
    honest = [0, 1, 5, 6, 0.5, 5.5]
    folds = dict.fromkeys("abc", honest)
    found = predict(first, drifts, names, 0.05, folds=folds)
    assert found.left_out == pytest.approx(1.0)
    assert found.auc == 1.0
    assert predict(first, drifts, names, 0.05).left_out < 1  # 900 is above every threshold of the others
    reversed_fold = {**folds, "c": [0, 1, 5, 6, 5.5, 0.5]}
    assert predict(first, drifts, names, 0.05, folds=reversed_fold).left_out == pytest.approx(4 / 6)
