"""Error rates of whole screens by simulation, and how blocks are planned."""

import math

import numpy as np
import pytest
from benchmarks.screening import Scenario, simulate

from spillover.screening.race import FIRST_PAIRS, Race, block_rounds
from spillover.stats.paired_sequential import Pairs


@pytest.mark.long
def test_a_drift_at_the_margin_seldom_passes_and_seldom_fails():
    found = simulate(Scenario(margin=0.05, base=0.02, drifts=(0.05, 0.0, 0.0, 0.0)), 200, np.random.default_rng(1), 6000)
    assert found.passed <= 0.05 * 200 + 2.6 * math.sqrt(200 * 0.05 * 0.95)
    found = simulate(Scenario(margin=0.05, base=0.02, drifts=(0.05,) * 4), 200, np.random.default_rng(2), 6000)
    assert found.failed <= 0.05 * 200 + 2.6 * math.sqrt(200 * 0.05 * 0.95)


def test_clear_cases_are_decided():
    clean = simulate(Scenario(margin=0.05, base=0.01, drifts=(0.0,) * 4), 40, np.random.default_rng(3), 20000)
    assert clean.passed >= 38
    bad = simulate(Scenario(margin=0.05, base=0.01, drifts=(0.0, 0.0, 0.0, 0.4)), 40, np.random.default_rng(4), 20000)
    assert bad.failed == 40


@pytest.mark.parametrize("questions", [1, 4, 8, 168])
def test_blocks_grow_and_are_the_same_for_every_screen(questions):
    sizes = [block_rounds(questions, b) for b in range(12)]
    assert sizes[0] * questions >= FIRST_PAIRS
    assert all(size >= 0 for size in sizes)
    assert sum(sizes) == math.ceil(sizes[0] * 1.5**11)


def test_a_plan_keeps_to_the_budget_and_to_the_baseline():
    race = Race.of({"a": 10, "b": 10}, 0.05, 0.05)
    assert race.plan(1000) == {"a": 2, "b": 2}
    assert race.plan(50) == {"a": 2}  # 40 answers for two rounds, and none left for another one
    assert race.plan(19) == {}
    assert race.plan(1000, 1, {"a": 1, "b": 0}) == {"a": 1}


def test_a_stored_block_is_used_whole_and_a_decided_probe_may_go_on():
    race = Race.of({"a": 10}, 0.05, 0.05)
    race.add({"a": [Pairs(0, 10, 0)] * 7})
    race.block = 6
    assert race.plan(10**6, 1, {"a": 7}) == {"a": 7}
    race.add({"a": [Pairs(0, 10, 0)] * 7})
    assert race.plan(10**6) == {}
    assert race.plan(10**6, reopened={"a"})["a"] > 0


def test_what_is_decided_is_asked_no_more():
    race = Race.of({"a": 10, "b": 10}, 0.05, 0.05)
    race.add({"a": [Pairs(0, 10, 0)] * 20, "b": [Pairs(0, 10, 0)] * 2})
    assert race.findings() == {"a": "below the margin", "b": "undecided"}
    assert list(race.plan(1000)) == ["b"]
    race.add({"b": [Pairs(9, 1, 0)] * 3})
    assert race.findings()["b"] == "above the margin"
    assert race.plan(1000) == {}


def test_the_last_block_is_cut_to_what_is_still_needed():
    race = Race.of({"a": 10}, 0.05, 0.05)
    race.add({"a": [Pairs(0, 10, 0)] * 7})  # 70 of about 80 pairs
    race.block = 10
    assert race.plan(10**6)["a"] <= 3


def test_holm_guards_against_one_of_many_probes_failing_by_chance():
    alone, many = Race.of({"p0": 8}, 0.05, 0.05), Race.of({f"p{i}": 8 for i in range(40)}, 0.05, 0.05)
    for race in (alone, many):
        race.add({"p0": [Pairs(8, 8, 0)]})
    assert alone.findings()["p0"] == "above the margin"
    assert many.findings()["p0"] == "undecided"


def test_suspects_are_asked_alone_for_two_blocks_and_the_others_begin_then():
    plain, race = (Race.of({"a": 10, "b": 10}, 0.05, 0.05, who) for who in ((), ("b",)))
    assert race.plan(1000) == {"b": 2}
    race.add({"b": [Pairs(1, 9, 0)] * 2})
    plain.add({"b": [Pairs(1, 9, 0)] * 2, "a": [Pairs(0, 10, 0)] * 2})
    assert list(race.plan(1000)) == ["b"]
    race.add({})
    assert race.plan(1000)["a"] == block_rounds(10, 0)  # as a screen of its own begins
    race.add({"a": [Pairs(0, 10, 0)] * 2})
    assert race.plan(1000)["a"] == block_rounds(10, 1)


def test_suspects_that_do_not_fit_the_budget_hold_nobody_up():
    race = Race.of({"big": 400, "small": 10}, 0.05, 0.05, ("big",))
    assert race.plan(600) == {"small": 2}
    assert race.plan(900) == {"big": 1}


def test_who_is_asked_first_changes_no_decision():
    """The error rate is shared by all probes from the start, whoever is asked."""
    first, plain = (Race.of({"a": 10, "b": 10}, 0.05, 0.05, who) for who in (("b",), ()))
    for race in (first, plain):
        race.add({"a": [Pairs(0, 10, 0)] * 2, "b": [Pairs(7, 13, 0)]})
    assert first.findings() == plain.findings()


def test_a_suspect_that_is_decided_holds_nobody_up():
    race = Race.of({"a": 10, "b": 10}, 0.05, 0.05, ("b",))
    race.add({"b": [Pairs(0, 10, 0)] * 20})
    assert race.findings()["b"] == "below the margin"
    assert list(race.plan(1000)) == ["a"]
