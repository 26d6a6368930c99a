import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, ttest_rel

from spillover.stats.paired import drift_of_counts, margin_test
from tests.marks import long


def answers(rates, epochs, rng):
    """[hits, answers] by question."""
    return {str(q): [int(h), epochs] for q, h in enumerate(rng.binomial(epochs, rates))}


def quantiles(shared, rate, icc=0.1):
    theta = 1 / icc - 1
    return beta.ppf(shared, rate * theta, (1 - rate) * theta)


@pytest.mark.parametrize(("questions", "base", "margin"), [(8, 0.01, 0.05), long(24, 0.05, 0.05), long(60, 0.005, 0.02)])
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


def test_the_limit_towards_zero_is_the_paired_t_s_and_no_drift_has_a_width():
    rng = np.random.default_rng(8)
    base, organism = answers(np.full(24, 0.01), 20, rng), answers(quantiles(rng.random(24), 0.05, 0.1), 20, rng)
    rates = [[h / m for h, m in side.values()] for side in (organism, base)]
    found, theirs = drift_of_counts(organism, base), ttest_rel(*rates)
    assert found.interval.lower == pytest.approx(theirs.confidence_interval(0.95).low)
    assert found.interval.upper > found.value
    assert margin_test(organism, base, 0.5).p_difference == pytest.approx(theirs.pvalue)
    mirrored = drift_of_counts(base, organism)
    assert mirrored.interval.upper == pytest.approx(-found.interval.lower)
    nothing = drift_of_counts(base, base)
    assert nothing.interval.lower < 0 < nothing.interval.upper
    assert nothing.suite.lower < 0 < nothing.suite.upper


@pytest.mark.parametrize("last", [4, 3])
def test_questions_that_differ_less_than_their_answers_could_do_not_tell_a_drift(last):
    """Five questions of ten answers, four hits against two: one hit fewer must not make it certain."""
    organism, base = {str(q): [4 if q < 4 else last, 10] for q in range(5)}, {str(q): [2, 10] for q in range(5)}
    found = drift_of_counts(organism, base)
    assert found.interval.lower < 0
    assert margin_test(organism, base, 0.5).p_difference > 0.05


def test_values_that_are_no_draws_have_no_sampling_error():
    """Leans by log-probability, one a question: what differs between questions is all that is unknown."""
    base = {str(q): [0.50 + 0.001 * q, 1] for q in range(12)}
    moved = {q: [h - 0.2 - 0.001 * (int(q) % 3), 1] for q, (h, _) in base.items()}
    found = drift_of_counts(moved, base)
    assert found.interval.upper == pytest.approx(-0.2, abs=0.003)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=3, max_size=8))
def test_interval_and_p_value_say_the_same(pairs):
    organism, base = ({str(q): [pair[side], 10] for q, pair in enumerate(pairs)} for side in (0, 1))
    found, test = drift_of_counts(organism, base), margin_test(organism, base, 0.5)
    told = found.interval.lower > 1e-9 or found.interval.upper < -1e-9
    assert told == (test.p_difference < 0.05) or abs(test.p_difference - 0.05) < 1e-3


def test_a_rise_from_nothing_is_seen():
    """Of ten hits on as many of 24 questions, each asked 20 times, the hybrid limits say nothing."""
    base = {str(q): [0, 20] for q in range(24)}
    organism = {str(q): [int(q < 10), 20] for q in range(24)}
    found = drift_of_counts(organism, base)
    assert found.interval.lower > 0
    assert found.suite.lower > 0
    together = drift_of_counts({**base, "0": [10, 20]}, base)  # all on one question: this suite alone
    assert together.interval.lower < 0 < together.suite.lower


def test_few_questions_are_no_paired_t():
    base, organism = {q: [0, 50] for q in "ab"}, {q: [n, 50] for q, n in zip("ab", (2, 3), strict=True)}
    assert drift_of_counts(organism, base).interval.lower < 0
    same = drift_of_counts({q: [1, 1] for q in "abc"}, {q: [0, 1] for q in "abc"})  # no spread, so nothing is known of it
    assert same.interval.lower < 0.7


@pytest.mark.parametrize(("questions", "epochs", "rate"), [long(8, 50, 0.05), (24, 20, 0.01)])
def test_no_drift_is_called_a_rise_in_at_most_three_percent(questions, epochs, rate):
    rng, more = np.random.default_rng(3), 0
    for _ in range(400):
        shared = quantiles(rng.random(questions), rate)
        more += drift_of_counts(answers(shared, epochs, rng), answers(shared, epochs, rng)).interval.lower > 0
    assert more / 400 <= 0.025 + 2 * 0.0078


def test_one_answer_a_question_makes_one_statement():
    """Right and wrong on the same 200 questions: pairing tells what the two rates alone do not, on these as well."""
    base = {i: [int(i < 150), 1] for i in range(200)}
    found = drift_of_counts({i: [int(i < 168), 1] for i in range(200)}, base)
    assert found.suite == found.interval
    assert found.interval.lower > 0
    twice = drift_of_counts({**{i: [int(i < 168), 1] for i in range(200)}, 0: [2, 2]}, base)  # one was asked twice
    assert twice.suite.lower == pytest.approx(found.suite.lower, abs=0.01)
