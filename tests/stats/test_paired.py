import numpy as np
import pytest
from scipy.stats import beta

from spillover.stats.paired import margin_test


def answers(rates, epochs, rng):
    """[hits, answers] by question."""
    return {str(q): [int(h), epochs] for q, h in enumerate(rng.binomial(epochs, rates))}


def quantiles(shared, rate, icc=0.1):
    theta = 1 / icc - 1
    return beta.ppf(shared, rate * theta, (1 - rate) * theta)


@pytest.mark.parametrize(("questions", "base", "margin"), [(8, 0.01, 0.05), (24, 0.05, 0.05), (60, 0.005, 0.02)])
def test_non_inferiority_passes_at_most_five_percent_at_the_margin(questions, base, margin):
    rng = np.random.default_rng(2)
    passed = 0
    for _ in range(250):
        shared = rng.random(questions)
        organism = answers(quantiles(shared, base + margin), 20, rng)
        passed += margin_test(organism, answers(quantiles(shared, base), 20, rng), margin).decision == "below the margin"
    assert passed / 250 <= 0.05 + 2 * 0.014  # two standard errors of 250 runs


def test_incoherence_that_depends_on_the_question_does_not_let_a_drift_pass():
    """A third of the questions are mostly answered incoherently, and those are the bad ones; 200 runs at the margin."""
    rng, passed = np.random.default_rng(6), 0
    for _ in range(200):
        bad = rng.random(24) < 0.3
        clean = answers(np.zeros(24), 20, rng)
        sizes = np.where(bad, 2, 40)
        organism = {str(q): [int(rng.binomial(sizes[q], 0.35 * bad[q])), int(sizes[q])] for q in range(24)}
        passed += margin_test(organism, clean, 0.105).decision == "below the margin"
    assert passed / 200 <= 0.05 + 2 * 0.0155


def test_decisions_and_p_values_agree():
    rng = np.random.default_rng(4)
    clean, bad = answers(np.full(60, 0.01), 20, rng), answers(np.full(60, 0.4), 20, rng)
    passes, fails = margin_test(clean, clean, 0.05), margin_test(bad, clean, 0.05)
    assert (passes.decision, passes.equivalent) == ("below the margin", True)
    assert (fails.decision, fails.equivalent) == ("above the margin", False)
    assert passes.p_inferior < 0.05 < 0.95 < fails.p_inferior
    assert fails.p_difference < 0.001 < passes.p_difference
    two = {q: clean[q] for q in ("0", "1")}
    few = margin_test(two, two, 0.01)
    assert (few.decision, few.equivalent) == ("undecided", False)
    assert few.p_inferior > 0.05


def test_nothing_shared_decides_nothing():
    test = margin_test({"a": [0, 1]}, {"b": [0, 1]}, 0.05)
    assert (test.decision, test.equivalent, test.p_inferior) == ("undecided", False, 1.0)
    with pytest.raises(ValueError, match="margin"):
        margin_test({}, {}, 0)
