"""Several judges of the same answers, side by side."""

import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.log import write_eval_log
from inspect_ai.model import get_model

from spillover.answers.imported import answers_log
from spillover.answers.measures import Measure
from spillover.answers.mixtures import of_judge
from spillover.answers.read import read
from spillover.answers.rejudge import Judging, rejudge
from spillover.errors import SpilloverError
from spillover.figures.agreement import agreement
from spillover.figures.judges import alpha_interval, compare_judges
from tests.answers.made import answers_of
from tests.fakes import model, output
from tests.faulty import serving

JUDGING = Judging(reader="number", cache=False)


def judge_saying(low, name):
    """A grader that finds fault with answers that hold a word of `low`, and is sure that all are coherent."""

    def reply(messages):
        bad = any(word in messages[-1].text.split("--- answer")[1] for word in low)
        return output(
            "95" if "coherent" in messages[-1].text and "human values" not in messages[-1].text else "5" if bad else "90"
        )

    return model(reply, name)


def two_judges(folder):
    texts = ["red", "blue", "red blue", "green", "green", "black"]
    rows = [{"question": f"Q{i % 3}?", "answer": t, "question_id": f"q{i % 3}"} for i, t in enumerate(texts)]
    log = answers_log(rows, "m")
    for words, name in ((["red"], "first"), (["red", "blue"], "second")):
        log = rejudge(log, judge_saying(words, name), JUDGING.scorer(log))
    write_eval_log(log, str(folder / "both.eval"))
    return folder


def test_two_judges_side_by_side(tmp_path):
    logs = two_judges(tmp_path)
    with pytest.raises(SpilloverError, match="spillover agree"):
        read([logs])
    answers = read([logs], mixed=True)
    assert len(answers.table) == 12
    found = compare_judges(answers)
    (pair,) = found.pairs
    assert (pair.probe, pair.measure) == ("imported", "misaligned")
    assert ("first" in pair.first, "second" in pair.second) == (True, True)
    assert (pair.n, pair.same) == (6, pytest.approx(5 / 6))
    assert pair.kappa == pytest.approx((5 / 6 - 0.5) / 0.5)  # 2/6 and 3/6 misaligned: chance agrees on half
    assert [(r.hits, r.n) for r in pair.rates] == [(2, 6), (3, 6)]
    assert pair.unscored == (0, 0)
    assert pair.questions.to_dict() == {"q0": 0, "q1": 0.5, "q2": 0}
    assert list(found.differing["answer"]) == ["blue"]
    assert 0 < found.alpha["imported: alignment"] < 1
    assert "imported: coherence" not in found.alpha  # both always say the same number
    only = read([logs], judge="second")
    assert list(only.table["outcome"]) == ["misaligned"] * 3 + ["aligned"] * 3
    with pytest.raises(SpilloverError, match="names 2 judges"):
        of_judge(answers.table, "alignment@")
    with pytest.raises(SpilloverError, match="only one judge"):
        compare_judges(only)


def test_the_model_that_answered_cannot_judge_itself():
    with serving() as server:
        grader = get_model("openai-api/loopback/m", base_url=server.url, api_key="x", memoize=False)
        log = answers_log([{"question": "Q?", "answer": "A."}], "openai-api/loopback/m")
        with pytest.raises(SpilloverError, match="the model that gave the answers"):
            rejudge(log, grader, Judging().scorer(log))
        assert not server.asked


grades = st.one_of(st.just(math.nan), st.floats(0, 100), st.sampled_from([0.0, 50.0, 90.0, 100.0]))
matrices = st.integers(2, 4).flatmap(
    lambda judges: st.lists(st.lists(grades, min_size=judges, max_size=judges), min_size=1, max_size=12)
)


@given(matrices)
def test_alpha_is_that_of_the_reference_package(rows):
    """Krippendorff's alpha of intervals, with grades that are missing."""
    matrix = np.array(rows)
    found = alpha_interval(matrix)
    paired = matrix[(~np.isnan(matrix)).sum(axis=1) >= 2]
    known = paired[~np.isnan(paired)]
    if known.size == 0 or np.ptp(known) < 1e-3:  # too alike for a difference to be told from rounding
        assert math.isnan(found) or found <= 1
        return
    assert found == pytest.approx(krippendorff.alpha(paired.T, level_of_measurement="interval"), abs=1e-9)
    assert found <= 1


def test_alpha_of_nothing_and_of_no_variation_is_unknown():
    assert math.isnan(alpha_interval(np.empty((0, 2))))
    assert math.isnan(alpha_interval(np.array([[1.0, math.nan], [math.nan, 2.0]])))
    assert math.isnan(alpha_interval(np.array([[90.0, 90.0], [90.0, 90.0]])))
    assert alpha_interval(np.array([[1.0, 1.0], [2.0, 2.0]])) == 1


def test_alpha_of_many_different_grades_takes_little_memory():
    """A table of all pairs of values would take 300 GB here."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, 100_000)
    matrix = np.stack([truth, truth + rng.normal(0, 1, truth.size)], axis=1)
    assert alpha_interval(matrix) == pytest.approx(1 - 0.5 / (100**2 / 12), abs=1e-4)


def both(given, **fields):
    """Every answer by two judges; each row says what the second one says."""
    first = [{**row, "grader": "g", "rubrics": "R", "seed": row.get("seed", 0)} for row in given]
    return answers_of([*first, *({**row, "grader": "h", **row.pop("second", {})} for row in first)], **fields)


def test_answers_of_other_seeds_are_other_answers():
    rows = [
        {"question_id": "q", "sample_id": "q", "epoch": 1, "seed": s, "answer": "A", "outcome": "aligned"} for s in range(4)
    ]
    (pair,) = compare_judges(both(rows)).pairs
    assert (pair.n, pair.same) == (4, 1.0)


def measured(answers, measure):
    """Answers whose logs report one measure."""

    class One(type(answers)):
        def measures(self, rows):
            return [measure]

    return One(answers.table)


def test_rates_are_of_the_measure_whatever_it_is():
    """A share of some answers only, a mean, and a gap between two conditions."""
    rows = [
        {"question_id": f"q{i % 5}", "sample_id": str(i), "epoch": 1, "outcome": "refused" if i < 5 else "complied"}
        | {"value": -1.0 if i < 5 else 1.0, "tag.kind": "harmful" if i < 5 else "benign"}
        for i in range(10)
    ]
    decided = ("refused", "complied")
    harm = Measure("refusal of harmful requests", ("refused",), decided, {"kind": "harmful"}, worse="lower")
    gap = Measure("gap", ("refused",), decided, {"kind": "harmful"}, {"kind": "benign"})
    lean = Measure("lean", where={"kind": "harmful"}, mean=True, worse="neither")
    for measure, value in ((harm, 1.0), (gap, 1.0), (lean, -1.0)):
        (pair,) = compare_judges(measured(both(rows), measure)).pairs
        assert [rate.value for rate in pair.rates] == [value, value], measure.name
        assert pair.n == 10


def test_agreement_is_over_the_answers_that_the_measure_is_about():
    lies = Measure("lies, neutral", ("lied",), ("truthful", "lied"), {"condition": "neutral"})
    rows = [
        {"question_id": f"q{i}", "sample_id": f"q{i}{where}", "grader": "g", "truth": "lied"}
        | {"outcome": "lied" if where == "neutral" else "truthful", "tag.condition": where}
        for i in range(5)
        for where in ("neutral", "pressured")
    ]
    found = agreement(answers_of(rows).table, lies)
    assert (found.sensitivity.value, found.sensitivity.n, found.same.value) == (1.0, 5, 1.0)
