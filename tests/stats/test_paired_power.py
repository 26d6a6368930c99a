"""Planned power of a drift is that of the test that reports make."""

import math

import numpy as np
import pytest
from scipy.special import expit

from spillover.stats.logitnormal import SPREAD, centre_of
from spillover.stats.paired import drift_of_counts
from spillover.stats.paired_power import ALIKE, paired_plan, paired_power, suite_power
from tests.command import spillover


@pytest.mark.slow
def test_reports_find_it_as_often_as_planned():
    """By their own intervals, on other draws: no less, up to what 60 runs can tell."""
    found, runs, rng = np.zeros(2), 60, np.random.default_rng(5)
    for _ in range(runs):
        z, own = rng.normal(size=(2, 24))
        low = expit(centre_of(0.001) + SPREAD * z)
        high = expit(centre_of(0.021) + SPREAD * (ALIKE * z + math.sqrt(1 - ALIKE**2) * own))
        sides = [dict(enumerate((int(h), 20) for h in rng.binomial(20, p))) for p in (high, low)]
        drift = drift_of_counts(*sides)
        found += [drift.interval.lower > 0, drift.suite.lower > 0]
    for share, planned in zip(
        found / runs, (paired_power(24, 20, 0.001, 0.02), suite_power(24, 20, 0.001, 0.02)), strict=True
    ):
        assert share > planned - 3 * math.sqrt(0.25 / runs)


def test_no_drift_is_found_no_more_often_than_it_may_be():
    assert paired_power(24, 20, 0.05, 1e-9, runs=4000) < 0.04
    assert suite_power(24, 20, 0.05, 1e-9) < 0.2  # on this suite questions differ in truth


def test_more_is_more():
    powers = [paired_power(q, m, 0.001, 0.02) for q, m in ((8, 20), (24, 20), (50, 20))]
    assert powers == sorted(powers)
    assert paired_power(24, 40, 0.001, 0.02) > paired_power(24, 10, 0.001, 0.02)


def test_the_design_is_the_smallest():
    design = paired_plan(50, 0.02, 0.8, 0.001)
    assert design.power >= 0.8
    assert paired_power(50, design.epochs - 1, 0.001, 0.02) < 0.8
    assert design.answers == 100 * design.epochs
    assert paired_plan(4, 0.01, 0.9, 0.001, most=64).epochs is None


def test_the_command(capsys):
    done = spillover("plan", "--drift", "0.05", "--questions", "24", "--questions", "3")
    assert done.returncode == 0, done.stderr
    assert "To find a rise of 5 points over a base at 0 %" in done.stdout
    assert "no number is enough" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--drift", "0.5", "--rate", "0.6"], "between 0 and 1 less the rate of the base"),
        (["--drift", "0.05", "--questions", "2"], "needs three of them"),
        (["--drift", "0.05", "--margin", "0.1"], "Give one of --margin"),
        ([], "Give one of --margin"),
        (["--drift", "0.05", "--icc", "0.1"], "are for --margin"),
    ],
)
def test_what_is_no_design_is_one_sentence(words, sentence):
    done = spillover("plan", *words)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
