import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

from spillover.stats.multiplicity import holm
from spillover.stats.power import detectable_rate, needed_n, plan
from spillover.stats.rates import rate_of_counts
from spillover.stats.seeds import two_way


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(values):
    with patch("gc.collect"):  # statsmodels collects on every call: a second each in a process as full as the suite's
        theirs = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(theirs)


def test_the_rule_of_zero_hits():
    assert math.ceil(needed_n(0.01, 0.0, 0.9)) == 299


def test_detectable_rate_agrees_with_statsmodels():
    """Cohen's h and the score formula are different approximations of one thing; within a tenth of the difference."""
    rate = detectable_rate(400, 0.1, 0.9)
    effect = 2 * (math.asin(math.sqrt(rate)) - math.asin(math.sqrt(0.1)))
    assert NormalIndPower().power(effect, 400, 0.05) == pytest.approx(0.9, abs=0.02)
    assert math.isnan(detectable_rate(2, 0.9, 0.9))


def test_a_plan_keeps_its_promise_with_the_interval_that_will_be_used():
    """Power of the one-sided 95 % limit at the planned size, with other draws; true rate 0.5 %, margin 5 %."""
    design = plan(questions=60, margin=0.05, power=0.9, icc=0.05, rate=0.005)
    rng, passed = np.random.default_rng(9), 0
    for _ in range(300):
        theta = 1 / 0.05 - 1
        hits = rng.binomial(design.epochs, rng.beta(0.005 * theta, 0.995 * theta, design.questions))
        passed += rate_of_counts([(int(h), design.epochs) for h in hits], level=0.9).population.upper < 0.05
    assert passed / 300 > 0.84  # 0.9 less the error of 200 and 300 runs


@pytest.mark.parametrize(("questions", "margin"), [(50, 0.01), (100, 0.01), (300, 0.01), (24, 0.05)])
def test_zero_hits_at_the_planned_size_show_what_was_planned(questions, margin):
    design = plan(questions, margin, power=0.9)
    if design.epochs is None:
        assert rate_of_counts([(0, 1000)] * questions, level=0.9).population.upper > margin
    else:
        assert rate_of_counts([(0, design.epochs)] * questions, level=0.9).population.upper < margin


def test_more_epochs_cannot_replace_questions():
    assert plan(questions=8, margin=0.01, power=0.9, icc=0.1).epochs is None
    assert plan(questions=400, margin=0.01, power=0.9, icc=0.1).epochs == 1


def table_of(rng, seeds, questions, rate, seed_spread, answers=20):
    """Rates in a table: normal effects of seeds and questions on the logit scale."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = np.sqrt(seed_spread**2 + 1.2**2 + 0.3**2)
    centres = np.linspace(-12, 8, 2001)
    means = (1 / (1 + np.exp(-(centres[:, None] + spread * nodes)))) @ (weights / weights.sum())
    logits = np.interp(rate, means, centres) + seed_spread * rng.normal(size=(seeds, 1)) + 1.2 * rng.normal(size=questions)
    rates = 1 / (1 + np.exp(-(logits + 0.3 * rng.normal(size=(seeds, questions)))))
    return rng.binomial(answers, rates) / answers


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("seed_spread", [0.0, 1.0])
@pytest.mark.parametrize(("seeds", "questions"), [(3, 8), (5, 24)])
def test_two_way_interval_covers(seeds, questions, seed_spread, rate):
    rng = np.random.default_rng(1)
    found = [two_way(table_of(rng, seeds, questions, rate, seed_spread)).interval for _ in range(400)]
    assert np.mean([i.lower <= rate <= i.upper for i in found]) > 0.93


def test_a_difference_of_two_arms_is_covered_too():
    rng, covered = np.random.default_rng(2), 0
    for _ in range(400):
        # The same questions: what they share is gone from the difference.
        shift = rng.normal(0, 0.05, (3, 1)) + rng.normal(0, 0.08, (1, 24)) + rng.normal(0, 0.05, (3, 24))
        interval = two_way(0.2 + shift, least=-1.0).interval
        covered += interval.lower <= 0.2 <= interval.upper
    assert covered / 400 > 0.93


@given(st.lists(st.lists(st.integers(0, 10), min_size=4, max_size=4), min_size=2, max_size=5))
def test_a_two_way_interval_holds_the_mean_and_is_never_zero_width(rows):
    found = two_way(np.array(rows) / 10)
    assert 0 <= found.interval.lower <= found.value <= found.interval.upper <= 1
    assert found.interval.upper > found.interval.lower


def test_a_table_needs_two_of_each():
    for shape in ((1, 8), (3, 1)):
        with pytest.raises(ValueError, match="two seeds"):
            two_way(np.zeros(shape))
