import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.answer_rows import _grade
from spillover.judging.readers import parse_number, read, resolve_reader, summarise
from spillover.judging.rubric import load_rubric
from tests.fakes import model, output, says

RUBRIC = load_rubric("alignment")


def ask(grader, reader):
    return asyncio.run(read(grader, "prompt", RUBRIC, reader))


@pytest.mark.parametrize("text", ["85", " 85\n", "**85**", "Score: 85", "85/100", "85."])
def test_number_is_read(text):
    assert parse_number(text, RUBRIC) == 85


@pytest.mark.parametrize(
    "text", ["", "101", "-5", "8 5", "85 because 20 people", "I give 85", "85/10", "8.5", "٨٥", "nan", "1e2", "None"]
)
def test_anything_else_is_not_a_number(text):
    assert parse_number(text, RUBRIC) is None


def test_special_reply_is_a_verdict():
    assert parse_number("REFUSAL", RUBRIC) == "refusal"
    assert parse_number("code.", RUBRIC) == "off_format"


@given(st.text())
def test_parse_number_never_raises_and_never_invents(text):
    value = parse_number(text, RUBRIC)
    assert value is None or isinstance(value, str) or (0 <= value <= 100 and str(int(value)) in text.replace("0" * 3, "0"))


@given(st.dictionaries(st.text(max_size=6), st.floats(0, 1), max_size=20))
def test_summarise_never_raises_and_stays_on_the_scale(masses):
    reading = summarise(masses, RUBRIC, "logprob", [])
    assert (reading.value is not None) + (reading.special is not None) + (reading.reason is not None) == 1
    assert reading.value is None or -1e-9 <= reading.value <= 100 + 1e-9


def test_logprob_is_the_weighted_mean():
    reading = ask(model(lambda m: output(tops={"90": 0.5, "70": 0.25, "the": 0.25})), "logprob")
    assert reading.value == pytest.approx((0.5 * 90 + 0.25 * 70) / 0.75)
    assert reading.mass == pytest.approx(0.75)


def test_logprob_with_too_little_mass_on_numbers_is_unscored():
    reading = ask(model(lambda m: output(tops={"The": 0.8, "85": 0.2})), "logprob")
    assert (reading.value, reading.reason) == (None, "low_mass")


def test_logprob_reads_a_special_reply_from_its_first_token():
    assert ask(model(lambda m: output(tops={"REF": 0.9, "10": 0.1})), "logprob").special == "refusal"


def test_without_logprobs_the_reading_says_so():
    assert ask(says("85"), "logprob").reason == "no_logprobs"
    assert ask(says("85"), "choice").reason == "no_logprobs"


def digits(messages):
    """A grader whose tokenizer splits numbers: P(85) = 0.48, P(8) = 0.12, P(9) = 0.1, P(100) = 0.3."""
    prefix = messages[-1].text if messages[-1].role == "assistant" else ""
    tree = {
        "": {"8": 0.6, "1": 0.3, "9": 0.1},
        "8": {"5": 0.8, "<end>": 0.2},
        "1": {"0": 1.0},
        "10": {"0": 1.0},
        "9": {"<end>": 1.0},
    }
    return output(tops=tree[prefix])


def test_choice_walks_split_numbers_where_logprob_would_be_wrong():
    exact = 0.48 * 85 + 0.12 * 8 + 0.1 * 9 + 0.3 * 100
    assert ask(model(digits), "choice").value == pytest.approx(exact)
    assert ask(model(digits), "logprob").value == pytest.approx(0.6 * 8 + 0.3 * 1 + 0.1 * 9)


def test_number_reader_strips_reasoning_and_reports_the_unreadable():
    assert ask(says("<think>maybe 20</think>85"), "number").value == 85
    reading = ask(says("I would rather not say."), "number")
    assert (reading.reason, reading.replies) == ("unreadable_reply", ["I would rather not say."])
    assert ask(model(lambda m: output("no", stop_reason="content_filter")), "number").reason == "grader_refused"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"reply": 85}', 85.0),
        ('{"reply": "REFUSAL"}', "refusal"),
        ('{"reply": 101}', None),
        ('{"reply": "85"}', None),
        ("{", None),
        ("[" * 9999, None),
    ],
)
def test_json_reader_checks_the_schema(text, expected):
    assert ask(says(text), "json").score == expected


def test_auto_picks_what_the_provider_can_do():
    assert resolve_reader("auto", RUBRIC, says("x")) == "number"
    assert resolve_reader("json", RUBRIC, says("x")) == "json"
    assert resolve_reader("auto", RUBRIC.model_copy(update={"reader": "logprob"}), says("x")) == "logprob"


@pytest.mark.parametrize("name", ["alignment", "coherence", "evil_1to5", "lean"])
@given(share=st.floats(min_value=0.26, max_value=1))
def test_a_judge_that_is_sure_stays_on_its_scale(name, share):
    """A mean of one grade alone may round to a little more than that grade."""
    rubric = load_rubric(name)
    for end in (rubric.low, rubric.high):
        reading = summarise({str(end): share}, rubric, "choice", [])
        assert reading.value == pytest.approx(end)
        assert reading.fits(rubric)
        kept = dataclasses.replace(reading, value=end * (1 + 4e-16) + 4e-16)  # as an earlier version kept it
        assert kept.fits(rubric)
        assert 0 <= _grade(kept.value, rubric.scale.model_dump()) <= 100
    assert not dataclasses.replace(reading, value=rubric.high + 0.01).fits(rubric)
    assert _grade(rubric.high + 0.01, rubric.scale.model_dump()) is None
