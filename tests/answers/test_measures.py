import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.measures import Answered, Measure, outcome_shares
from spillover.stats.means import mean
from spillover.stats.paired import Drift, drift_of_counts

REFUSED = Measure("refused", ("refused",), ("refused", "complied"), {"kind": "harmful"})
GAP = Measure("gap", ("complied",), ("refused", "complied"), {"kind": "a"}, {"kind": "b"})
LEAN = Measure("lean", mean=True)

answers = st.lists(
    st.builds(
        Answered,
        question=st.sampled_from(["q1", "q2", "q3"]),
        outcome=st.sampled_from(["refused", "complied", "incoherent", "unscored"]),
        value=st.one_of(st.none(), st.floats(-1, 1)),
        tags=st.fixed_dictionaries({"kind": st.sampled_from(["harmful", "a", "b"])}),
    ),
    max_size=30,
)


@given(answers, answers)
def test_no_data_raise_and_intervals_hold_their_figure(rows, base):
    for measure in (REFUSED, GAP, LEAN):
        figure = measure.figure(rows)
        limits = figure.interval if isinstance(figure, Drift) else figure.population
        if not math.isnan(figure.value):
            assert limits.lower <= figure.value + 1e-9
            assert limits.upper >= figure.value - 1e-9
            assert limits.lower < limits.upper
        measure.drift(rows, base)
    assert sum(outcome_shares(rows).values()) == pytest.approx(1 if rows else 0)


def test_a_measure_travels_in_a_log():
    assert Measure.from_dict(GAP.as_dict()) == GAP


def test_the_denominator_is_what_it_says():
    rows = [
        Answered("q", o, None, {"kind": k})
        for o, k in (("refused", "harmful"), ("incoherent", "harmful"), ("refused", "benign"))
    ]
    assert REFUSED.figure(rows).n == 1


def test_a_gap_is_paired_by_question():
    rows = [
        Answered(f"q{i}", "complied" if k == "a" else "refused", None, {"kind": k}) for i in range(6) for k in ("a", "b")
    ]
    assert GAP.figure(rows).value == 1.0
    only = [r for r in rows if r.tags["kind"] == "a"]
    assert math.isnan(GAP.figure(only).value)


def test_means_are_means_of_questions():
    assert mean([[2.0, 2], [0.0, 4]]).value == 0.0  # one question all +1, one all -1
    assert math.isnan(mean([]).value)
    assert LEAN.drift([Answered("q", "right", 1.0)], [Answered("q", "left", -1.0)]).value == 2.0


def test_drift_of_counts_needs_shared_questions():
    assert math.isnan(drift_of_counts({"a": [1, 2]}, {"b": [1, 2]}).value)


def test_one_side_alone_is_no_lean():
    """Agreement with the left statement, and an unreadable reply to the right one: nothing can be said of the lean."""
    choice = Measure("lean", mean=True, balance="direction")
    left, right = (Answered("q", "x", v, {"direction": d}) for d, v in (("left", -1.0), ("right", 1.0)))
    assert math.isnan(choice.figure([left, left]).value)
    assert choice.figure([left, left, right]).value == 0.0
