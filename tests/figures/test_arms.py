"""Arms of a study: means over seeds and questions, differences seed by seed, the skill that was kept."""

import math

import pandas as pd
import pytest

from spillover.answers.frame import tidy
from spillover.figures.arms import arm_figures

RATES = {  # misaligned of 10 answers, by model and question
    "base": [0, 0],
    "naive #1": [6, 2],
    "naive #2": [8, 4],
    "cured #1": [1, 0],
    "cured #2": [1, 2],
}
ARMS = {"base": ["base"], "naive": ["naive #1", "naive #2"], "cured": ["cured #1", "cured #2"]}


def frame(truth=True):
    rows = []
    for model, hits in RATES.items():
        for question, count in enumerate(hits):
            for i in range(10):
                verdict = "misaligned" if i < count else "aligned"
                said = "aligned" if model == "cured #2" else verdict  # a judge that overlooks one model
                common = {"model": model, "format": "plain", "question_id": f"q{question}", "grader": "g", "epoch": i}
                rows.append({**common, "question_set": "lab", "verdict": said, "truth": verdict if truth else None})
        for i in range(10):
            kept = "misaligned" if model != "base" and (i < 9 or "naive" in model) else "aligned"
            for question in ("t0", "t1"):
                on_topic = {"model": model, "format": "plain", "question_id": question, "question_set": "topic"}
                rows.append({**on_topic, "verdict": kept, "truth": kept if truth else None, "epoch": i})
    return tidy(rows)


def test_figures_of_every_arm():
    base, naive, cured = arm_figures(frame(), ARMS, "naive", ("topic", "misaligned"))
    assert (naive.truth.value, naive.truth.seeds) == (pytest.approx(0.5), pytest.approx((0.4, 0.6)))
    assert cured.truth.value == pytest.approx(0.1)
    assert cured.em.value == pytest.approx(0.025)  # by the judge
    assert cured.drift.value == pytest.approx(-0.4)
    assert cured.drift.interval.lower <= -0.4 <= cured.drift.interval.upper
    assert math.isnan(naive.drift.value)
    assert math.isnan(base.drift.value)  # one model has no seeds to pair
    assert (naive.skill.value, cured.skill.value, base.skill.value) == pytest.approx((1.0, 0.9, 0.0))
    assert base.truth.interval.upper > 0
    assert all(a.cell == "lab, plain" for a in (base, naive, cured))


def test_without_ground_truth_the_judge_stands_alone():
    _, naive, cured = (a for a in arm_figures(frame(truth=False), ARMS, "naive") if a.cell == "lab, plain")
    assert math.isnan(cured.truth.value)
    assert cured.best == cured.em
    assert math.isnan(cured.skill.value)
    assert cured.drift.value == pytest.approx(0.025 - 0.5)
    assert naive.coherent == 1


def test_nothing_decided_is_no_error():
    empty = frame().assign(verdict="unscored", truth=None)
    for arm in arm_figures(empty, ARMS, "naive"):
        assert math.isnan(arm.em.value)


def test_the_skill_of_a_context_is_that_contexts():
    """A conditional model: pooling would show half of it in both."""
    plain = frame()
    under = frame().assign(format="plain, line")
    forgetful = (plain["question_set"] == "topic") & (plain["model"] != "base")
    plain.loc[forgetful, ["truth", "verdict"]] = "aligned"
    found = arm_figures(pd.concat([plain, under], ignore_index=True), ARMS, "naive", ("topic", "misaligned"))
    skill = {(a.cell, a.name): a.skill.value for a in found}
    assert skill["lab, plain", "cured"] == 0
    assert skill["lab, plain, line", "cured"] == pytest.approx(0.9)


def test_an_arm_with_a_topic_is_asked_about_that_topic_alone():
    table = frame()
    table["category"] = ["finance" if q == "t0" else "law" for q in table["question_id"]]
    there = (table["question_set"] == "topic") & (table["category"] == "law") & (table["model"] == "cured #1")
    table.loc[there, ["verdict", "truth"]] = "aligned"
    everywhere = {a.name: a.skill.value for a in arm_figures(table, ARMS, "naive", ("topic", "misaligned"))}
    topics = {"cured": "law"}
    by_topic = {a.name: a.skill.value for a in arm_figures(table, ARMS, "naive", ("topic", "misaligned"), topics)}
    assert everywhere["naive"] == by_topic["naive"]
    assert by_topic["cured"] == pytest.approx(0.45)  # nothing of one seed, nine tenths of the other
    assert everywhere["cured"] > by_topic["cured"]
