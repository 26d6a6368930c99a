"""Drift of a gap: the difference of two differences, told apart on questions like these and on this suite."""

import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.stats.gaps import gap_drift
from spillover.stats.paired import drift_of_counts
from tests.marks import long

NONE = {"a": [0, 4], "b": [0, 4], "c": [0, 4]}
CELLS = st.lists(
    st.tuples(*[st.integers(1, 6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))) for _ in range(4)]),
    min_size=1,
    max_size=8,
)


def sides(cells):
    return [{i: row[k] for i, row in enumerate(cells)} for k in range(4)]


@given(CELLS)
def test_it_is_the_mean_difference_of_differences_within_its_limits_and_turns_around(cells):
    a, b, c, d = sides(cells)
    found, turned = gap_drift((a, b), (c, d)), gap_drift((c, d), (a, b))
    value = fmean((p / m - q / n) - (r / k - s / j) for (p, m), (q, n), (r, k), (s, j) in cells)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert -2 <= found.interval.lower <= value + 1e-9 <= found.interval.upper + 2e-9 <= 2 + 2e-9
    assert found.suite.lower - 1e-9 <= value <= found.suite.upper + 1e-9
    assert turned.value == pytest.approx(-value, abs=1e-12)
    assert turned.interval.lower == pytest.approx(-found.interval.upper, abs=1e-6)
    assert (found.rose, found.fell) == (turned.fell, turned.rose)


def test_a_base_without_a_gap_leaves_the_organisms_own():
    own = {"a": [4, 4], "b": [3, 4], "c": [4, 4]}
    found, gap = gap_drift((own, NONE), (NONE, NONE)), drift_of_counts(own, NONE)
    assert found.value == gap.value == pytest.approx(11 / 12)
    assert found.interval.lower > 0.3
    assert found.suite.lower > 0.3


def test_with_one_answer_a_question_there_is_one_interval():
    own = {i: [i % 2, 1] for i in range(12)}
    none = {i: [0, 1] for i in range(12)}
    found = gap_drift((own, none), (none, none))
    assert found.suite == found.interval
    twice = gap_drift(
        *[tuple({q: [2 * h, 2 * n] for q, (h, n) in s.items()} for s in pair) for pair in ((own, none), (none, none))]
    )
    assert twice.suite != twice.interval


def test_questions_that_one_model_was_not_asked_under_both_conditions_are_left_out():
    whole, part = {"a": [1, 1], "b": [1, 1]}, {"a": [0, 1]}
    assert gap_drift((whole, part), (whole, whole)).questions == 1
    nothing = gap_drift((whole, {"z": [0, 1]}), (whole, whole))
    assert nothing.questions == 0
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.suite.lower)


@pytest.mark.parametrize(
    ("drift", "epochs", "size", "least"),
    [long(0.0, 5, 24, 0.93), long(0.3, 5, 24, 0.93), long(0.0, 20, 24, 0.93), long(0.0, 1, 12, 0.9)],
)
def test_both_statements_cover_and_no_drift_is_seldom_called_one(drift, epochs, size, least):
    """Questions have rates of their own (beta), the base a gap of 10 points; 300 simulated suites.

    Of few questions with one answer each it covers less: nothing tells what lies between questions from what lies between
    answers.
    """
    rng = np.random.default_rng(7)

    def questions(n):
        low = rng.beta(2, 6, n)
        up = np.clip(low + rng.normal(0.1, 0.05, n), 0, 1)  # the base where it is watched
        return np.clip(up + rng.normal(drift, 0.1, n), 0, 1), low, up, low

    many = questions(200_000)  # rates end at 0 and 1, so the mean is not quite what was added
    true = float((many[0] - many[2]).mean())
    hits = {"population": 0, "suite": 0, "false": 0}
    runs = 300
    for _ in range(runs):
        asked = questions(size)
        drawn = [{i: [int(rng.binomial(epochs, p)), epochs] for i, p in enumerate(rates)} for rates in asked]
        found = gap_drift((drawn[0], drawn[1]), (drawn[2], drawn[3]))
        hits["suite"] += found.suite.lower <= float((asked[0] - asked[2]).mean()) <= found.suite.upper
        hits["population"] += found.interval.lower <= true <= found.interval.upper
        hits["false"] += found.interval.lower > true
    assert hits["suite"] / runs >= least
    assert hits["population"] / runs >= least
    assert hits["false"] / runs <= (0.045 if least > 0.9 else 0.06)  # 2.5 % of one side, and two standard errors of 300 runs
