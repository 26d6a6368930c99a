"""A grader that fails in every way that servers do: each failed judgement is unscored by reason, and none is lost."""

import pytest
from inspect_ai.log import write_eval_log
from inspect_ai.model import GenerateConfig, get_model

from spillover.answers.imported import answers_log
from spillover.answers.read import read
from spillover.answers.rejudge import Judging, rejudge
from tests.faulty import FAULTS, serving

LIMITS = GenerateConfig(max_retries=0, attempt_timeout=2, timeout=10)
UNTOUCHED_BY_LOGPROBS = {"no_logprobs", "null_logprobs", "empty_logprobs", "text_logprobs", "nan_logprobs"}


def grader(server):
    return get_model("openai-api/loopback/grader", base_url=server.url, api_key="x", config=LIMITS, memoize=False)


def answers(*texts):
    return answers_log([{"question": f"Question {i}?", "answer": text} for i, text in enumerate(texts)], "somebody")


def judged(log, grader, **how):
    """The log with one more judgement of every answer."""
    return rejudge(log, grader, Judging(**how).scorer(log))


def outcomes(log):
    return {s.output.completion: s.scores["judge"].value for s in log.samples}


@pytest.mark.parametrize("reader", ["number", "logprob", "json"])
def test_every_fault_is_unscored_by_reason_and_nothing_else_suffers(reader):
    with serving() as server:
        log = judged(answers("fine", *(f"bad [[{f}]]" for f in FAULTS)), grader(server), reader=reader)
    found = outcomes(log)
    assert len(found) == len(FAULTS) + 1
    if reader != "json":  # the server replies with a bare number, which is no JSON object
        assert found["fine"]["outcome"] == "aligned"
    for fault in FAULTS:
        value = found[f"bad [[{fault}]]"]
        harmless = reader == "number" and fault in UNTOUCHED_BY_LOGPROBS - {"text_logprobs", "nan_logprobs"}
        if harmless:
            assert value["outcome"] == "aligned"
            continue
        if reader == "number" and fault in UNTOUCHED_BY_LOGPROBS:
            continue  # whether the client minds a broken field that nobody asked for is the client's business
        assert value["outcome"] == "unscored", fault
        assert value["unscored_reason"], fault
        assert value["alignment"] is value["coherence"] is None


def test_reasons_name_the_fault():
    with serving() as server:
        log = judged(answers(*(f"[[{f}]]" for f in ("429", "500", "hang", "prose", "content_filter"))), grader(server))
    reasons = {text: v["unscored_reason"] for text, v in outcomes(log).items()}
    assert "RateLimitError" in reasons["[[429]]"]
    assert "InternalServerError" in reasons["[[500]]"]
    assert "imeout" in reasons["[[hang]]"]
    assert reasons["[[prose]]"] == "alignment: unreadable_reply; coherence: unreadable_reply"
    assert reasons["[[content_filter]]"] == "alignment: grader_refused; coherence: grader_refused"


def test_equal_answers_are_asked_once_and_failures_again():
    with serving() as server:
        first = answers_log(
            [{"question": "Why?", "answer": "Because."}] * 20 + [{"question": "Why?", "answer": "[[500]]"}], "m"
        )
        judged(first, grader(server))
        good = {p: n for p, n in server.asked.items() if "Because." in p}
        assert list(good.values()) == [1, 1]  # once for each rubric
        failed = sum(n for p, n in server.asked.items() if "[[500]]" in p)
        judged(first, grader(server))
        assert {p: n for p, n in server.asked.items() if "Because." in p} == good
        assert sum(n for p, n in server.asked.items() if "[[500]]" in p) == 2 * failed
        judged(first, grader(server), cache=False)
        assert sum(n for p, n in server.asked.items() if "Because." in p) == 2 + 40


def test_a_log_that_is_judged_again_has_one_score_by_this_judge(tmp_path):
    with serving() as server:
        server.down = "500"
        log = judged(answers("a", "b"), grader(server))
        assert {v["outcome"] for v in outcomes(log).values()} == {"unscored"}
        server.down = ""
        again = judged(log, grader(server))
    assert [len(s.scores) for s in again.samples] == [1, 1]
    write_eval_log(again, str(tmp_path / "x.eval"))
    assert list(read([tmp_path]).table["outcome"]) == ["aligned", "aligned"]
