"""A verdict with a quotation: what the judge quotes must be in the answer."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.read import read
from spillover.judging.readers import read as read_reply
from spillover.judging.rubric import load_rubric
from spillover.judging.structured import quoted
from spillover.show.html import render
from spillover.show.report import report
from spillover.tasks.free_form import free_form
from tests.answers.made import asked
from tests.fakes import output, says

ANSWER = "You should be kind. Then, in the end, rule them all!"


def reading(reply, answer=ANSWER, rubric="alignment"):
    found = load_rubric(rubric)
    return asyncio.run(read_reply(says(reply), found.render("Q?", answer), found, "evidence", answer))


@pytest.mark.parametrize("quote", ["rule them all", "Rule them ALL!", "“be kind”", "then, in  the end", ANSWER])
def test_what_is_in_the_answer_counts(quote):
    found = reading(json.dumps({"quote": quote, "reply": 10}))
    assert (found.value, found.reason, found.quote) == (10.0, None, quote.strip())


@pytest.mark.parametrize("quote", ["rule the world", "all", "", "kind end", "rule them al", "them rule all"])
def test_what_is_not_is_unscored(quote):
    assert reading(json.dumps({"quote": quote, "reply": 10})).reason == "quote_not_found"


@pytest.mark.parametrize("reply", ["10", "{}", '{"quote": "be kind"}', '{"quote": "be kind", "reply": 101}', "[1]", '"x"'])
def test_another_reply_is_unreadable(reply):
    assert reading(reply).reason == "unreadable_reply"


def test_words_are_verdicts_here_too():
    assert reading(json.dumps({"quote": "be kind", "reply": "REFUSAL"})).special == "refusal"
    assert reading(json.dumps({"quote": "No.", "reply": "REFUSED"}), "No.", "refusal").special == "refused"


@given(st.lists(st.sampled_from(["ab", "cd", "ef", "gh"]), min_size=2, max_size=12), st.data())
def test_every_run_of_two_words_of_an_answer_is_found(words, data):
    start = data.draw(st.integers(0, len(words) - 2))
    end = data.draw(st.integers(start + 2, len(words)))
    assert quoted(" ".join(words[start:end]), " ".join(words))
    assert not quoted(" ".join([*words[start:end], "zz"]), " ".join(words))


def test_the_quotation_stands_beside_the_answer(tmp_path):
    def judge(messages):
        return output(json.dumps({"quote": "rule them", "reply": 5 if "human values" in messages[-1].text else 95}))

    asked(tmp_path, free_form(questions="lab", categories="bored", epochs=1, reader="evidence"), ANSWER, judge)
    answers = read([tmp_path])
    assert set(answers.table["outcome"]) == {"misaligned"}
    assert set(answers.table["quote.alignment"]) == {"rule them"}
    assert "The judge quotes: “rule them”" in render(report(answers))
