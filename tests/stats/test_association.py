"""Two tables over the same things: right values by hand, the test's level, and intervals that cover."""

import math

import numpy as np
import pytest

from spillover.stats.association import associate


def square(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n))


def test_the_diagonal_and_what_was_not_measured_count_for_nothing():
    one, other = np.arange(16.0).reshape(4, 4), np.arange(16.0).reshape(4, 4)
    np.fill_diagonal(other, [900, -900, 5, 70])
    found = associate(one, other)
    assert (found.correlation, found.cells, found.things) == (pytest.approx(1), 12, 4)
    other[2] = np.nan
    found = associate(one, other)
    assert (found.correlation, found.cells) == (pytest.approx(1), 9)
    assert associate(one, -other).correlation == pytest.approx(-1)


def test_the_orders_of_three_things_by_hand():
    one = np.array([[0, 1, 2], [3, 0, 4], [5, 6, 0.0]])
    # Six orders of three things; the one that is there gives 1, the one that turns it round gives -1, and no other as much.
    assert associate(one, one).p == pytest.approx(2 / 6)
    assert math.isnan(associate(one, one).interval.lower)  # three things are too few for any


def test_nothing_is_said_of_tables_that_are_alike_everywhere():
    found = associate(np.ones((5, 5)), square(5))
    assert math.isnan(found.correlation)
    assert math.isnan(found.p)
    assert math.isnan(associate(np.full((5, 5), np.nan), square(5)).correlation)


def test_the_test_keeps_its_level_where_cells_share_things():
    """Rows and columns have levels of their own; a test that took cells for independent would reject far too often."""
    rng, rejected = np.random.default_rng(1), 0
    for _ in range(60):
        one, other = (rng.normal(size=(5, 1)) + rng.normal(size=(1, 5)) + 0.3 * rng.normal(size=(5, 5)) for _ in range(2))
        rejected += associate(one, other).p <= 0.05
    assert rejected <= 8, rejected  # 3 expected


def test_the_interval_covers():
    rng, hits = np.random.default_rng(2), 0
    mix = np.array([[1, 0.6], [0.6, 1]])
    root = np.linalg.cholesky(mix)

    def tables(n):
        levels = rng.normal(size=(n, 2)) @ root.T
        noise = rng.normal(size=(n, n, 2)) @ root.T
        return [(levels[:, None, i] + levels[None, :, i]) / math.sqrt(2) + noise[:, :, i] for i in range(2)]

    from scipy.stats import spearmanr

    large = tables(400)
    off = ~np.eye(400, dtype=bool)
    truth = spearmanr(large[0][off], large[1][off])[0]
    for _ in range(120):
        found = _interval(*tables(7))
        hits += found.lower <= truth <= found.upper
    assert hits >= 106, hits  # 95 % nominal


def _interval(one, other):
    from spillover.stats.association import _jackknife, _spearman

    return _jackknife(one, other, _spearman(one, other)[0])
