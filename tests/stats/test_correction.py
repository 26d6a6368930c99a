import math

import numpy as np
import pytest

from spillover.stats.correction import Label, prediction_powered, rogan_gladen
from spillover.stats.rates import rate_of_counts, tally
from tests.marks import long


def world(rng, rate, se, sp, labels, icc=0.1, questions=24, answers=50):
    theta = 1 / icc - 1
    rates = rng.beta(rate * theta, (1 - rate) * theta, questions) if rate else np.zeros(questions)
    true = rng.random((questions, answers)) < rates[:, None]
    said = rng.random(true.shape) < np.where(true, se, 1 - sp)
    flat = [Label(str(q), bool(said[q, i]), bool(true[q, i])) for q in range(questions) for i in range(answers)]
    sample = [flat[i] for i in rng.choice(len(flat), labels, replace=False)]
    return list(tally((r.question, r.said) for r in flat).values()), sample


@pytest.mark.parametrize(
    ("rate", "se", "sp", "labels"), [long(0.0, 0.8, 0.9, 100), long(0.1, 0.7, 0.9, 400), long(0.4, 0.6, 0.8, 100)]
)
def test_corrected_intervals_cover_where_the_raw_one_does_not(rate, se, sp, labels):
    """150 runs a setting; benchmarks/correction.py has the whole grid."""
    rng, covered = np.random.default_rng(1), np.zeros(3)
    for _ in range(150):
        counts, sample = world(rng, rate, se, sp, labels)
        found = [rate_of_counts(counts).population, rogan_gladen(counts, sample).interval]
        found.append(prediction_powered(counts, sample).interval)
        covered += [i.lower <= rate <= i.upper for i in found]
    raw, by_error, by_labels = covered / 150
    assert min(by_error, by_labels) > 0.89
    assert raw < min(by_error, by_labels)


def test_a_perfect_judge_is_left_as_it_is():
    counts = [[10, 50]] * 8
    labels = [Label(str(i % 8), i % 5 == 0, i % 5 == 0) for i in range(400)]
    for found in (rogan_gladen(counts, labels), prediction_powered(counts, labels)):
        assert found.value == pytest.approx(0.2, abs=0.01)
        assert found.interval.lower < 0.2 < found.interval.upper


def test_a_known_error_is_taken_out():
    """Sensitivity 0.5, specificity 1: half of what is there is seen."""
    counts = [[10, 100]] * 8
    labels = [Label(str(i % 8), i % 2 == 0, True) for i in range(400)] + [
        Label(str(i % 8), False, False) for i in range(400)
    ]
    assert rogan_gladen(counts, labels).value == pytest.approx(0.2, abs=0.01)


def test_a_point_is_not_made_of_nothing():
    only_bad = [Label("q", True, True)] * 30
    assert math.isnan(prediction_powered([[5, 100]], only_bad).value)
    assert math.isnan(rogan_gladen([[5, 100]], only_bad).value)
    assert math.isnan(rogan_gladen([[5, 100]], [Label("q", False, False)] * 30).value)


def test_a_stratified_sheet_without_a_miss_still_knows_that_there_may_be_some():
    """5000 answers, 10 judged misaligned; 190 of the others labelled, none of them a miss although 25 of all are."""
    sheet = [Label("q", True, True, 1.0)] * 10 + [Label("q", False, False, 26.3)] * 190
    for corrected in (rogan_gladen([[1, 500]] * 10, sheet), prediction_powered([[1, 500]] * 10, sheet)):
        assert corrected.interval.lower < 0.007 < corrected.interval.upper


def test_weights_undo_a_stratified_draw():
    """Every judged-misaligned answer and one in ten of the others were labelled; sensitivity is 0.5 among all."""
    seen = [Label("q", True, True, 1.0)] * 50 + [Label("q", False, True, 10.0)] * 5 + [Label("q", False, False, 10.0)] * 40
    plain = [r._replace(weight=1.0) for r in seen]
    counts = [[50, 500]] * 4
    assert rogan_gladen(counts, seen).value == pytest.approx(0.2, abs=0.03)
    assert rogan_gladen(counts, plain).value < 0.13


def test_a_judge_no_better_than_chance_says_nothing():
    labels = [Label(str(i), i % 2 == 0, i % 4 < 2) for i in range(200)]
    found = rogan_gladen([[5, 10]] * 8, labels)
    assert found.interval.upper - found.interval.lower > 0.9
    assert math.isnan(found.value)
    assert math.isnan(rogan_gladen([], labels).value)
    assert prediction_powered([[1, 2]], []).labels == 0


@pytest.mark.parametrize(("questions", "by_question"), [(8, 0.3), long(8, 0.1), long(24, 0.3)])
def test_labels_of_other_questions_are_clusters(questions, by_question):
    """The judge's errors differ from question to question; 100 runs (without clusters 75 to 83 % at ICCs of 0.1 and 0.3)."""

    def shares(mean, icc, n):
        return rng.beta(mean * (1 / icc - 1), (1 - mean) * (1 / icc - 1), n)

    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        true = rng.random((24, 50)) < shares(0.01, 0.1, 24)[:, None]
        right = np.where(true, shares(0.8, by_question, 24)[:, None], 1 - shares(0.93, by_question, 24)[:, None])
        counts = [[int(row.sum()), 50] for row in rng.random(true.shape) < right]
        known = rng.random((questions, 400 // questions)) < 0.3
        of_labels = np.where(
            known, shares(0.8, by_question, questions)[:, None], 1 - shares(0.93, by_question, questions)[:, None]
        )
        said = rng.random(known.shape) < of_labels
        labels = [Label(str(q), bool(said[q, i]), bool(known[q, i])) for q, i in np.ndindex(*known.shape)]
        found = rogan_gladen(counts, labels).interval
        covered += found.lower <= 0.01 <= found.upper
    assert covered >= 90
