"""The paired sequential test: its errors by simulation, its shape by properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spillover.stats.paired_sequential import PairedTest, Pairs, log_wealth, pairs_to_go

counts = st.integers(0, 400)


def simulated(drifts, base, margin, rounds, rng, coupled):
    """One screen; `drifts` and `base` by question."""
    test = PairedTest(margin, 0.05)
    for _ in range(rounds):
        u = rng.random(len(base))
        v = u if coupled else rng.random(len(base))
        x, y = u < base + drifts, v < base
        test.add(Pairs(int((x & ~y).sum()), int((x == y).sum()), int((~x & y).sum())))
        if min(test.p_pass, test.p_fail) <= 0.05:
            break
    return test


@pytest.mark.parametrize("coupled", [False, True])
def test_at_the_margin_it_errs_at_most_as_often_as_it_says(coupled):
    rng = np.random.default_rng(5)
    passed = failed = 0
    for _ in range(400):  # very uneven questions with a mean drift of exactly the margin
        drifts = rng.dirichlet(np.full(8, 0.3)) * 8 * 0.05
        drifts = np.minimum(drifts, 0.9)
        drifts += 0.05 - drifts.mean()
        test = simulated(drifts, np.full(8, 0.05), 0.05, 60, rng, coupled)
        passed, failed = passed + (test.p_pass <= 0.05), failed + (test.p_fail <= 0.05)
    assert passed <= 0.05 * 400 + 2.6 * math.sqrt(400 * 0.05 * 0.95)
    assert failed <= 0.05 * 400 + 2.6 * math.sqrt(400 * 0.05 * 0.95)


def test_it_decides_clear_cases_soon_and_rightly():
    rng = np.random.default_rng(6)
    clean = [simulated(np.zeros(8), np.full(8, 0.01), 0.05, 100, rng, False) for _ in range(40)]
    bad = [simulated(np.full(8, 0.5), np.full(8, 0.01), 0.05, 100, rng, False) for _ in range(40)]
    assert sum(t.p_pass <= 0.05 for t in clean) >= 36
    assert all(t.p_fail <= 0.05 for t in bad)
    assert np.median([len(t.path) for t in bad]) <= 6


def test_common_random_numbers_make_it_quicker():
    rng = np.random.default_rng(7)
    rounds = {
        coupled: np.median([len(simulated(np.zeros(8), np.full(8, 0.2), 0.05, 200, rng, coupled).path) for _ in range(20)])
        for coupled in (False, True)
    }
    assert rounds[True] * 2 < rounds[False]


@given(counts, counts, counts, st.floats(-0.9, 0.9))
def test_wealth_of_either_bet_is_the_other_one_mirrored(rose, same, fell, t):
    below, above = log_wealth(Pairs(rose, same, fell), np.array([t]))
    other_below, other_above = log_wealth(Pairs(fell, same, rose), np.array([-t]))
    assert below == pytest.approx(other_above)
    assert above == pytest.approx(other_below)


@given(counts, counts, counts)
def test_no_wealth_without_pairs_and_what_is_refuted_lies_on_one_side(rose, same, fell):
    grid = np.linspace(-0.95, 0.95, 39)
    below, above = log_wealth(Pairs(rose, same, fell), grid)
    assert np.all(np.diff(below) >= -1e-9)
    assert np.all(np.diff(above) <= 1e-9)
    nothing = log_wealth(Pairs(0, 0, 0), grid)
    assert np.allclose(nothing, 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 3)), min_size=1, max_size=12))
def test_a_confidence_sequence_only_ever_shrinks(rounds):
    test = PairedTest(0.05)
    for found in rounds:
        test.add(Pairs(*found))
    for one, two in zip(test.path, test.path[1:], strict=False):
        assert one.lower <= two.lower
        assert two.upper <= one.upper
    assert (test.path[-1].upper <= 0.05) == (test.p_pass <= 0.05)
    assert (test.path[-1].lower >= 0.05) == (test.p_fail <= 0.05)


def test_how_many_more_pairs():
    assert pairs_to_go(Pairs(0, 0, 0), 0.01, (3.0, 3.0)) == math.inf
    assert 100 < pairs_to_go(Pairs(0, 200, 0), 0.01, (3.0, 3.0)) < 600
    assert pairs_to_go(Pairs(20, 0, 0), 0.01, (3.0, 3.0)) == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        PairedTest(0.0)
