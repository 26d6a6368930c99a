"""A sentence about a drift names what it is about."""

import pytest

from spillover.figures.estimate import Estimate
from spillover.show.text import told_apart
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval


def drift(population, suite):
    return Drift(0.0, Interval(*population), 8, 0.0, suite=Interval(*suite))


@pytest.mark.parametrize(
    ("found", "worse", "expected"),
    [
        (drift((0.1, 0.3), (0.15, 0.25)), "higher", "higher than the base on questions like these (worse)"),
        (drift((0.1, 0.3), (0.15, 0.25)), "lower", "higher than the base on questions like these (better)"),
        (drift((-0.3, -0.1), (-0.2, -0.1)), "neither", "lower than the base on questions like these"),
        (
            drift((-0.1, 0.3), (0.05, 0.2)),
            "higher",
            "higher than the base on this suite (worse), not told apart on questions like these",
        ),
        (drift((-0.1, 0.3), (-0.05, 0.2)), "higher", "not told apart from the base on this suite"),
        (Estimate(0.1, Interval(-0.1, 0.3)), "higher", "not told apart from the base on questions like these"),
        (Estimate(0.2, Interval(0.1, 0.3)), "higher", "higher than the base on questions like these (worse)"),
    ],
)
def test_told_apart(found, worse, expected):
    assert told_apart(found, worse) == expected
