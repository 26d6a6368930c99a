"""Arms of a study: means over seeds and questions, differences seed by seed, the skill that was kept."""

import math

import pytest

from spillover.answers.measures import EM
from spillover.figures.arms import arm_rows, shares_by_category
from spillover.figures.figure import figures
from tests.answers.made import answers_of

RATES = {  # misaligned of 10 answers, by model and question
    "base": [0, 0],
    "naive #1": [6, 2],
    "naive #2": [8, 4],
    "cured #1": [1, 0],
    "cured #2": [1, 2],
}
ARMS = {"base": ["base"], "naive": ["naive #1", "naive #2"], "cured": ["cured #1", "cured #2"]}
SKILL = ("topic", "misaligned")


def given(truth=True, **place):
    """Rows of all models, to two questions of a probe and two of the skill."""
    rows = []
    for model, hits in RATES.items():
        common = {"model": model, "model_id": model, "grader": "g", **place}
        for question, count in enumerate(hits):
            for i in range(10):
                done = "misaligned" if i < count else "aligned"
                said = "aligned" if model == "cured #2" else done  # a judge that overlooks one model
                on_probe = {"question_set": "lab", "question_id": f"q{question}", "epoch": i}
                rows.append({**common, **on_probe, "outcome": said, "truth": done if truth else None})
        for i in range(10):
            kept = "misaligned" if model != "base" and (i < 9 or "naive" in model) else "aligned"
            for question, topic in (("t0", "finance"), ("t1", "law")):
                on_topic = {"question_id": question, "question_set": "topic", "category": topic, "epoch": i}
                rows.append({**common, **on_topic, "outcome": kept, "truth": kept if truth else None})
    return rows


def test_figures_of_every_arm():
    ((cell, (base, naive, cured)),) = arm_rows(answers_of(given()), ARMS, "naive", SKILL).items()
    assert (cell.probe, cell.question_set, cell.condition) == ("free_form", "lab", "")
    truth = naive.head.truth
    assert naive.head.measure == EM
    assert (truth.value, truth.seeds, truth.n, truth.questions) == (
        pytest.approx(0.5),
        pytest.approx((0.4, 0.6)),
        40,
        2,
    )
    assert naive.best == truth
    assert cured.best.value == pytest.approx(0.1)
    assert cured.head.value.value == pytest.approx(0.025)  # by the judge
    assert cured.head.drift.value == pytest.approx(0.025 - 0.5)  # by the judge, as its value
    drift = cured.head.best_drift
    assert drift.value == pytest.approx(-0.4)
    assert drift.interval.lower <= -0.4 <= drift.interval.upper
    assert naive.head.drift is None
    assert math.isnan(base.head.drift.value)  # one model has no seeds to pair
    assert (naive.skill.value, cured.skill.value, base.skill.value) == pytest.approx((1.0, 0.9, 0.0))
    assert base.head.truth.interval.upper > 0
    assert naive.coherent == 1
    assert all(arm.comparable for arm in (base, naive, cured))


def test_without_ground_truth_the_judge_stands_alone():
    found = arm_rows(answers_of(given(truth=False)), ARMS, "naive")
    (naive, cured) = next(arms[1:] for cell, arms in found.items() if cell.question_set == "lab")
    assert cured.head.truth is None
    assert cured.best == cured.head.value
    assert math.isnan(cured.skill.value)
    assert cured.head.drift.value == pytest.approx(0.025 - 0.5)
    assert naive.coherent == 1


def test_nothing_decided_is_no_error():
    rows = [{**row, "outcome": "unscored", "truth": None} for row in given()]
    found = arm_rows(answers_of(rows), ARMS, "naive", SKILL)
    assert [len(arms) for arms in found.values()] == [3]
    for arm in found.popitem()[1]:
        assert math.isnan(arm.best.value)
        assert arm.name == "naive" or math.isnan(arm.head.drift.value)


def test_the_skill_of_a_context_is_that_contexts():
    """A conditional model: pooling would show half of it in both."""
    plain, under = given(), given(context="line")
    for row in plain:
        if row["question_set"] == "topic" and row["model"] != "base":
            row |= {"truth": "aligned", "outcome": "aligned"}
    found = arm_rows(answers_of([*plain, *under]), ARMS, "naive", SKILL)
    skill = {(cell.context, arm.name): arm.skill.value for cell, arms in found.items() for arm in arms}
    assert skill["", "cured"] == 0
    assert skill["line", "cured"] == pytest.approx(0.9)


def test_an_arm_with_a_topic_is_asked_about_that_topic_alone():
    rows = given()
    for row in rows:
        if row.get("category") == "law" and row["model"] == "cured #1":
            row |= {"outcome": "aligned", "truth": "aligned"}
    answers = answers_of(rows)

    def arms(topics=None):
        ((_, found),) = arm_rows(answers, ARMS, "naive", SKILL, topics).items()
        return {arm.name: arm for arm in found}

    everywhere, by_topic = arms(), arms({"cured": "law", "naive": "finance"})
    assert everywhere["naive"].skill.value == by_topic["naive"].skill.value
    assert by_topic["cured"].skill.value == pytest.approx(0.45)  # nothing of one seed, nine tenths of the other
    assert everywhere["cured"].skill.value > by_topic["cured"].skill.value
    assert not by_topic["cured"].comparable  # trained on another topic than the naive arm
    (table,) = shares_by_category(answers, ARMS, *SKILL).values()
    assert table["cured"]["law"] == by_topic["cured"].skill
    assert table["naive"]["finance"].value == 1


def test_an_arm_of_one_model_has_that_models_figure():
    """And an arm without answers has none: a seed that failed is no zero."""
    answers = answers_of(given(truth=False))
    alone = {"one": ["naive #1"], "none": ["missing"]}
    by_arm = [f for f in figures(answers, arms=alone) if f.cell.question_set == "lab"]
    by_model = [f for f in figures(answers) if f.group == "naive #1" and f.cell.question_set == "lab"]
    assert {f.group for f in by_arm} == {"one"}
    assert [(f.value.value, f.interval) for f in by_arm] == [(f.value.value, f.interval) for f in by_model]


def test_a_seed_that_is_missing_leaves_no_difference():
    rows = [row for row in given() if row["model"] != "cured #2"]
    ((_, arms),) = arm_rows(answers_of(rows), ARMS, "naive", SKILL).items()
    cured = next(arm for arm in arms if arm.name == "cured")
    assert cured.best.value == pytest.approx(0.05)
    assert math.isnan(cured.head.drift.value)


def test_shares_by_category_are_of_one_condition():
    """The same questions under a system line are another table."""
    given = [
        {"question_id": f"q{i}", "sample_id": f"q{i}", "category": "law", "context": context, "outcome": outcome}
        for i in range(5)
        for context, outcome in (("", "aligned"), ("evil", "misaligned"))
    ]
    found = shares_by_category(answers_of(given), {"arm": ["m"]}, "s", "misaligned")
    assert {title: rows["arm"]["law"].value for title, rows in found.items()} == {
        "free_form; s": 0.0,
        "free_form, evil; s": 1.0,
    }


def test_the_skill_is_that_of_the_same_wrap():
    wrapped = given(wrap="medical_chat")
    for row in wrapped:
        if row["question_set"] == "topic":
            row["outcome"] = row["truth"] = "aligned"
    found = arm_rows(answers_of([*wrapped, *given()]), ARMS, "naive", SKILL)
    kept = {cell.wrap: arms[1].skill.value for cell, arms in found.items()}
    assert kept == {"medical_chat": 0.0, "": 1.0}
