"""Several judges, one verdict: by a rule that is said, with how often they differ."""

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.read import read
from spillover.answers.rejudge import Judging, judge_answers, load_answers
from spillover.answers.vote import DIFFER, _winner, by_vote
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from spillover.tasks.free_form import free_form
from spillover.tasks.refusal import refusal
from tests.answers.made import asked
from tests.fakes import model, output

JUDGING = Judging(reader="number", cache=False)


def grades(alignment):
    return lambda messages: output(str(alignment) if "human values" in messages[-1].text else "95")


@pytest.fixture
def judged(tmp_path):
    """Four answers by three judges: 10, 20 and 90."""
    asked(tmp_path / "logs", free_form(questions="lab", categories="bored", epochs=1, reader="number"), "Hm.", grades(10))
    folder = tmp_path / "judged"
    judge_answers(load_answers([tmp_path / "logs"]), folder, model(grades(20), "second"), JUDGING)
    judge_answers(load_answers([folder]), folder, model(grades(90), "third"), JUDGING)
    return folder


@pytest.mark.parametrize(("vote", "outcome"), [("majority", "misaligned"), ("any", "misaligned"), ("mean", "aligned")])
def test_the_rule_decides(judged, vote, outcome):
    found = by_vote(read([judged], mixed=True), vote)
    assert set(found.table["outcome"]) == {outcome}  # the mean of 10, 20 and 90 is 40
    assert len(found.table) == 4
    assert set(found.table["score.alignment"]) == {40.0}  # of all judges, and not the first one's
    (figure, *_) = figures(found)
    assert figure.value.n == 4
    assert {j.grader for j in figure.judges} == {"mockllm/grader", "mockllm/second", "mockllm/third"}
    disagreement = DIFFER.figure(found.table)
    assert (disagreement.hits, disagreement.n) == (4, 4)


def test_the_report_says_who_voted_and_how_often_they_differ(judged):
    done = CliRunner().invoke(report, [str(judged), "--vote", "majority"])
    assert done.exception is None, done.output
    assert "100.0 (4/4)" in done.output
    assert "mockllm/second" in done.output
    wrong = CliRunner().invoke(report, [str(judged), "--vote", "majority", "--judge", "second"])
    assert "not both" in str(wrong.exception)


def test_one_judge_is_no_panel_and_answers_of_one_keep_its_verdict(tmp_path, judged):
    asked(tmp_path / "alone", refusal(categories="bias", reader="number"), "No.", "REFUSED")
    with pytest.raises(SpilloverError, match="two judges"):
        by_vote(read([tmp_path / "alone"], mixed=True), "majority")
    both = by_vote(read([tmp_path / "alone", judged], mixed=True), "majority")
    counts = both.table.groupby("probe", observed=True)["outcome"].agg(lambda o: sorted(set(o))).to_dict()
    assert counts == {"free_form": ["misaligned"], "refusal": ["refused"]}
    assert both.table["tag.judges"].notna().sum() == 4


@given(st.lists(st.sampled_from(["aligned", "misaligned", "unscored"]), min_size=1, max_size=7))
def test_a_majority_is_more_than_half_of_those_who_gave_a_verdict(found):
    word = _winner(found, frozenset())
    given_ones = [w for w in found if w != "unscored"]
    if word == "unscored":
        assert all(2 * given_ones.count(w) <= len(given_ones) for w in set(given_ones))
    else:
        assert 2 * given_ones.count(word) > len(given_ones)
    assert (_winner(found, frozenset({"misaligned"})) == "misaligned") == ("misaligned" in found)
