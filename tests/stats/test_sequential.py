import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from spillover.stats.sequential import PRIOR, SequentialTest, log_wealth


@given(st.integers(0, 20), st.integers(0, 60), st.floats(0.02, 0.9))
def test_wealth_is_the_mixture_of_bets(hits, misses, rate):
    """The closed form against numerical integration of stakes over the prior."""

    def bet(q):
        return (q / rate) ** hits * ((1 - q) / (1 - rate)) ** misses * beta.pdf(q, *PRIOR)

    peak = min(max(hits / max(1, hits + misses), 1e-9), 1 - 1e-9)
    below, above = (np.exp(w[0]) for w in log_wealth(hits, misses, np.array([rate])))
    for wealth, low, high in ((below, 0, rate), (above, rate, 1)):
        points = [peak] if low < peak < high else None
        expected = quad(bet, low, high, points=points, limit=200)[0] / (beta.cdf(high, *PRIOR) - beta.cdf(low, *PRIOR))
        assert wealth == pytest.approx(expected, rel=1e-3, abs=1e-9)


def decide(rates, margin, budget, rng):
    test = SequentialTest(margin, alpha=0.1)
    covered = True
    for _ in range(budget):
        hits = int((rng.random(len(rates)) < rates).sum())
        test.add(hits, len(rates) - hits)
        covered &= test.path[-1].lower <= rates.mean() <= test.path[-1].upper
        if not covered:
            break
    return test.decision, covered


@pytest.mark.parametrize("rates", [np.full(8, 0.05), np.array([0.3] + [0.1 / 7] * 7), np.array([0.4] + [0.0] * 7)])
def test_false_decisions_at_the_margin_at_every_stopping_time(rates):
    """The true rate of the suite is the margin, so every decision is false; 120 runs, looked at after every round."""
    rng, runs = np.random.default_rng(1), 120
    found = [decide(rates, float(rates.mean()), 50, rng) for _ in range(runs)]
    allowed = 0.1 + 0.027  # one standard error of 120 runs; benchmarks/sequential.py has more
    assert sum(d != "undecided" for d, _ in found) / runs <= allowed
    assert sum(not c for _, c in found) / runs <= allowed


@pytest.mark.parametrize(("rate", "decision"), [(0.0, "below the margin"), (0.2, "above the margin")])
def test_clear_cases_are_decided_early(rate, decision):
    test, rng = SequentialTest(0.05), np.random.default_rng(0)
    while test.decision == "undecided" and len(test.path) < 200:
        hits = int((rng.random(8) < rate).sum())
        test.add(hits, 8 - hits)
    assert test.decision == decision
    assert test.path[-1].decided < 160


def test_incoherent_answers_are_no_bet_and_bad_arguments_are_refused():
    test = SequentialTest(0.05)
    for _ in range(500):
        test.add(0, 0)
    assert (test.decision, test.path[-1].lower, test.path[-1].upper) == ("undecided", 0.0, 1.0)
    with pytest.raises(ValueError, match="margin"):
        SequentialTest(0)
