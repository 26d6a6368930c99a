import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logit
from scipy.stats import binom, binomtest, norm
from statsmodels.stats.proportion import proportion_confint

from spillover.stats import logitnormal as model
from spillover.stats.logitnormal import icc_of_rate
from spillover.stats.paired import drift_of_counts
from spillover.stats.rates import critical_value, rate, rate_of_counts, split_beta, wilson
from tests.marks import long

groups = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)).map(lambda p: (min(p), p[1])), min_size=1, max_size=12)


def outcomes(cells):
    return [(q, i < hits) for q, (hits, n) in enumerate(cells) for i in range(n)]


@given(groups)
def test_interval_holds_the_rate_and_is_never_zero_width(cells):
    r = rate(outcomes(cells))
    for interval in (r.suite, r.population):
        assert 0 <= interval.lower <= r.value + 1e-12
        assert r.value <= interval.upper + 1e-12 <= 1 + 2e-12
        assert interval.upper - interval.lower > 1e-3
    assert r.deff >= 1


def test_no_answers_is_nan_and_not_an_error():
    for nothing in (rate([]), rate_of_counts([])):
        assert math.isnan(nothing.value)
        assert math.isnan(nothing.population.lower)
        assert (nothing.n, nothing.effective_n) == (0, 0)


def test_wilson_is_scipys():
    ours, theirs = wilson(37 / 400, 400, critical_value(0.95, None)), binomtest(37, 400).proportion_ci(method="wilson")
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_one_answer_a_question_is_between_jeffreys_and_clopper_pearson():
    """Without repeated answers there is no clustering, and the exact binomial intervals are the limits to be between."""
    for hits, n in ((0, 300), (3, 300), (40, 300), (150, 300)):
        ours = rate([(i, i < hits) for i in range(n)]).population
        widest, narrow = proportion_confint(hits, n, method="beta"), proportion_confint(hits, n, method="jeffreys")
        assert widest[0] - 1e-3 <= ours.lower <= narrow[0] + 1e-9
        assert narrow[1] - 1e-9 <= ours.upper <= widest[1] + 1e-3


def test_clustering_widens_the_interval():
    together = rate([(q, q < 2) for q in range(8) for _ in range(50)])
    spread = rate([(q, i < 12.5) for q in range(8) for i in range(50)])
    assert together.icc > 0.5
    assert spread.deff < 3 < together.deff
    assert together.population.upper - together.population.lower > spread.population.upper - spread.population.lower


def test_there_is_no_cliff_between_no_hits_and_one():
    """At zero hits the plug-in ICC is zero; unshrunk, one hit would then give a tighter bound than none."""
    uppers = [rate([(q, q == 0 and i < hits) for q in range(8) for i in range(100)]).population.upper for hits in range(4)]
    assert uppers == sorted(uppers)
    assert uppers[1] < 1.5 * uppers[0]
    assert uppers[-1] < 2.5 * uppers[0]


def test_icc_matches_the_population_value():
    rng = np.random.default_rng(1)
    rates = rng.beta(0.3 * 4, 0.7 * 4, 1000)  # beta(a, b) has ICC 1 / (a + b + 1) = 0.2
    fitted = rate_of_counts([(int(h), 20) for h in rng.binomial(20, rates)])
    assert fitted.icc == pytest.approx(0.2, abs=0.02)
    assert fitted.deff == pytest.approx(1 + 19 * fitted.icc)


SETTINGS = [
    (8, 0.02, 0.0),
    long(8, 0.05, 0.1),
    long(8, 0.25, 0.3),
    (24, 0.005, 0.3),
    long(24, 0.2, 0.1),
    long(60, 0.02, 0.1),
    long(100, 0.5, 0.3),
]


@pytest.mark.parametrize(("questions", "p", "icc"), SETTINGS)
def test_population_interval_covers(questions, p, icc):
    """Simulated coverage over new draws of questions and answers; 1000 runs, so +-0.007; docs/statistics.md has the grid."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(1000):
        rates = rng.beta(p * (1 / icc - 1), (1 - p) * (1 / icc - 1), questions) if icc else np.full(questions, p)
        interval = rate_of_counts([(int(h), 20) for h in rng.binomial(20, rates)]).population
        covered += interval.lower <= p <= interval.upper
    assert covered / 1000 > 0.93


@pytest.mark.parametrize(("questions", "p", "icc"), [long(8, 0.1, 0.0), long(8, 0.1, 0.3), (24, 0.02, 0.1)])
def test_suite_interval_covers_the_rate_of_these_questions(questions, p, icc):
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(600):
        rates = rng.beta(p * (1 / icc - 1), (1 - p) * (1 / icc - 1), questions) if icc else np.full(questions, p)
        interval = rate_of_counts([(int(h), 50) for h in rng.binomial(50, rates)]).suite
        covered += interval.lower <= rates.mean() <= interval.upper
    assert covered / 600 > 0.92


def by_question(cells):
    return {str(q): [hits, n] for q, (hits, n) in enumerate(cells)}


@given(groups, st.data())
@settings(deadline=None)
def test_drift_is_bounded_and_never_zero_width(cells, data):
    base = [(data.draw(st.integers(0, n)), n) for _, n in cells]
    d = drift_of_counts(by_question(cells), by_question(base))
    assert -1 <= d.interval.lower <= d.value + 1e-9
    assert d.value <= d.interval.upper + 1e-9 <= 1 + 1e-8
    assert d.interval.upper > d.interval.lower
    back = drift_of_counts(by_question(base), by_question(cells))
    assert (back.value, back.interval.lower) == pytest.approx((-d.value, -d.interval.upper), abs=1e-9)


def test_drift_is_zero_for_equal_models_whatever_they_were_incoherent_on():
    """Pooled rates would differ: the two models answer the good and the bad questions coherently in other proportions."""
    organism = by_question([(0, 2)] * 10 + [(40, 40)] * 10)
    base = by_question([(0, 40)] * 10 + [(2, 2)] * 10)
    assert drift_of_counts(organism, base).value == 0
    assert drift_of_counts(organism, base).interval.lower < 0 < drift_of_counts(organism, base).interval.upper


@pytest.mark.parametrize(("questions", "low", "high"), [(8, 0.02, 0.2), long(24, 0.02, 0.02), long(24, 0.1, 0.4)])
def test_drift_interval_covers(questions, low, high):
    """Simulated coverage over new questions and answers, with coherence that differs by model and question; 400 runs."""
    rng = np.random.default_rng(5)

    def rates_of(p, shift):
        return 1 / (1 + np.exp(-(np.log(p / (1 - p)) + shift)))

    everyone = rng.normal(0, 0.6, 200_000)
    truth = (rates_of(high, everyone) - rates_of(low, everyone)).mean()
    covered = 0
    for _ in range(400):
        shift = rng.normal(0, 0.6, questions)
        sides = []
        for p in (high, low):
            sizes = rng.integers(8, 21, questions)
            hits = rng.binomial(sizes, rates_of(p, shift))
            sides.append([(int(h), int(n)) for h, n in zip(hits, sizes, strict=True)])
        interval = drift_of_counts(by_question(sides[0]), by_question(sides[1])).interval
        covered += interval.lower <= truth <= interval.upper
    assert covered / 400 > 0.92


def test_drift_uses_shared_questions_only_and_is_nan_without():
    organism, base = {"a": [1, 1], "b": [1, 1]}, {"a": [0, 1], "c": [1, 1]}
    assert drift_of_counts(organism, base).questions == 1
    assert drift_of_counts(organism, base).value == 1
    assert math.isnan(drift_of_counts(organism, {"z": [0, 1]}).value)


@pytest.mark.parametrize("n", [10, 40, 100, 248, 400, 800])
def test_on_this_suite_the_exact_coverage_is_94_percent_everywhere(n):
    hits = np.arange(n + 1)
    limits = [split_beta(h / n, n, 0.95) for h in hits]
    lower, upper = np.array([i.lower for i in limits]), np.array([i.upper for i in limits])
    for p in np.concatenate([np.logspace(-5, -1, 400), np.linspace(0.1, 0.5, 100)]):
        assert binom.pmf(hits, n, p)[(lower <= p) & (p <= upper)].sum() >= 0.94, p
    assert (limits[0].lower, limits[-1].upper) == (0.0, 1.0)


def test_the_icc_falls_with_the_rate_where_questions_differ_as_published_ones_do():
    found = [icc_of_rate(p) for p in (0.001, 0.01, 0.1, 0.5)]
    assert found == sorted(found)
    assert found[0] < 0.005 < found[1] < 0.04
    assert (icc_of_rate(0.0), icc_of_rate(1.0), icc_of_rate(0.1, 0.0)) == (0.0, 0.0, 0.0)
    rng = np.random.default_rng(0)
    logits = -3.5 + 1.2 * rng.normal(size=400_000)
    rates = 1 / (1 + np.exp(-logits))
    p = rates.mean()
    assert icc_of_rate(p) == pytest.approx(rates.var() / (p * (1 - p)), rel=0.03)


@pytest.mark.parametrize("answers", [20, 4000])
def test_the_likelihood_agrees_with_a_library_s_quadrature(answers):
    """Of pairs of mean rate and spread; the larger number of answers takes another way than the smaller."""
    hits = np.array([0.0, 1, 3, 10] if answers == 20 else [100.0, 400, 1200, 2000])
    sizes = np.full(4, float(answers))
    data = model._Data(hits, sizes, np.ones(4), 1.0)
    p = np.array([0.2, 0.05, 0.4])
    found = data.log_likelihood(p)
    centres, known = model._CENTRES, []
    for mean, sigma in ((0.2, 0.3), (0.05, 1.4), (0.4, 2.0)):
        s = list(model.SIGMA).index(sigma)
        centre = float(np.interp(logit(mean), model._tables()[0][s], centres))

        def seen(h, centre=centre, sigma=sigma):
            def density(t):
                log = (
                    -h * np.logaddexp(0, -t)
                    - (answers - h) * np.logaddexp(0, t)
                    + answers * binary((h + 0.5) / (answers + 1))
                )
                return np.exp(log) * norm.pdf(t, centre, sigma)

            peak = logit((h + 0.5) / (answers + 1))
            near = [peak - 5 / np.sqrt(h + 0.5), peak, peak + 5 / np.sqrt(h + 0.5)]
            ends = (centre - 12 * sigma - 20, centre + 12 * sigma + 20)
            return quad(density, *ends, limit=2000, points=near)[0]

        known.append(sum(np.log(seen(h)) for h in hits))
    ours = [found[i, list(model.SIGMA).index(sigma)] for i, sigma in enumerate((0.3, 1.4, 2.0))]
    assert np.diff(ours) == pytest.approx(np.diff(known), rel=0.02)


def binary(p):
    """Entropy of a coin, in nats."""
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


mirrored = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12).filter(
    lambda c: any(map(sum, c))
)


@given(mirrored)
@settings(max_examples=40, deadline=None)
def test_hits_and_misses_are_treated_alike(cells):
    counts = [(h, h + other) for h, other in cells if h + other]
    one, other = rate_of_counts(counts), rate_of_counts([(m - h, m) for h, m in counts])
    for interval in ("suite", "population"):
        first, second = getattr(one, interval), getattr(other, interval)
        assert (first.lower, first.upper) == pytest.approx((1 - second.upper, 1 - second.lower), abs=1e-4)
    assert one.icc == pytest.approx(other.icc, abs=1e-4)
    assert one.population.lower <= one.suite.lower <= one.value <= one.suite.upper <= one.population.upper


@pytest.mark.parametrize(("questions", "answers"), [(24, 5000), (100, 10_000), (24, 1_000_000)])
def test_many_answers_are_no_reason_to_be_too_sure(questions, answers):
    rng, covered = np.random.default_rng(0), 0
    for _ in range(60):
        found = rate_of_counts([(int(h), answers) for h in rng.binomial(answers, 0.5, questions)])
        covered += found.population.lower <= 0.5 <= found.population.upper
        reach = found.population.upper - found.value, found.value - found.population.lower
        assert max(reach) < 1.5 * min(reach)
    assert covered >= 53


def test_a_question_of_nothing_but_hits_keeps_its_tail():
    """Reference by direct integration with infinite tails."""
    found = rate_of_counts([(1000, 1000)] + [(0, 1000)] * 23)
    assert found.icc == pytest.approx(0.56, abs=0.01)
    assert (found.population.lower, found.population.upper) == pytest.approx((0.0005, 0.0454), abs=0.0005)
