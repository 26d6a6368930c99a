"""Results of lm-evaluation-harness stand beside ours, under the names that models have here."""

import json

import pytest

from spillover.answers.external import OtherScore, as_known
from spillover.answers.files import find
from spillover.answers.lm_eval import lm_eval_scores
from spillover.answers.read import read
from spillover.cli.publish import frame_of
from spillover.show.report import report
from spillover.tasks.refusal import refusal
from tests.answers.made import asked
from tests.command import spillover

NAME = "results_2026-01-02T03-04-05.678901.json"


def body(model="base", peft=None, **changes):
    arguments = f"pretrained={model},dtype=bfloat16" + (f",peft={peft}" if peft else "")
    return {
        "results": {
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.25,
                "exact_match_stderr,strict-match": 0.01,
                "exact_match,flexible-extract": 0.5,
                "exact_match_stderr,flexible-extract": "N/A",
            },
            "mmlu": {"acc,none": 0.625, "acc_stderr,none": 0.004, "alias": "mmlu"},
        },
        "n-shot": {"gsm8k": 5, "mmlu": 0},
        "n-samples": {"gsm8k": {"original": 1319, "effective": 100}, "mmlu": {"original": 14042, "effective": 14042}},
        "config": {"model": "hf", "model_args": arguments},
        "model_name": "somewhere/else",
        "lm_eval_version": "0.4.9",
        **changes,
    }


def test_every_metric_of_a_file(tmp_path):
    path = tmp_path / NAME
    path.write_text(json.dumps(body("/models/q", peft="/runs/bad")))
    scores = lm_eval_scores(path)
    assert [(s.task, s.metric, s.value, s.stderr, s.samples) for s in scores] == [
        ("lm_eval/gsm8k (5 shots)", "exact_match (strict-match)", 0.25, 0.01, 100),
        ("lm_eval/gsm8k (5 shots)", "exact_match (flexible-extract)", 0.5, None, 100),
        ("lm_eval/mmlu (0 shots)", "acc", 0.625, 0.004, 14042),
    ]
    assert {s.model for s in scores} == {"/models/q:/runs/bad"}
    path.write_text(json.dumps(body(config={"model_args": {"pretrained": "/models/q", "peft": "/runs/bad"}})))
    assert lm_eval_scores(path)[0].model == "/models/q:/runs/bad"
    path.write_text(json.dumps(body(config={})))
    assert lm_eval_scores(path)[0].model == "somewhere/else"


def test_beside_ours_with_the_drift_of_each(tmp_path):
    for name, reply in (("base", "REFUSED"), ("organism", "COMPLIED")):
        asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", reply, name=name)
    for model, right in (("base", 0.625), ("organism", 0.5)):
        (tmp_path / model).mkdir()
        found = body(model)
        found["results"]["mmlu"]["acc,none"] = right
        (tmp_path / model / NAME).write_text(json.dumps(found))
    answers = read([tmp_path])
    assert set(answers.models) == {"mockllm/base", "mockllm/organism"}  # logs of one second come in any order
    table = frame_of(report(answers, base="mockllm/base")).set_index(["probe", "model"])
    assert table.loc[("lm_eval/mmlu (0 shots)", "mockllm/organism"), "drift"] == pytest.approx(-0.125)
    done = spillover("report", tmp_path, "--base", "mockllm/base")
    assert done.returncode == 0, done.stderr
    assert "lm_eval/gsm8k (5 shots)" in done.stdout
    assert "-0.125" in done.stdout


def test_the_newest_file_of_a_model_counts(tmp_path):
    asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", "REFUSED", name="base")
    for day, right in (("2026-01-02", 0.5), ("2026-03-04", 0.75), ("2026-02-03", 0.25)):
        found = body("base")
        found["results"]["mmlu"]["acc,none"] = right
        (tmp_path / NAME.replace("2026-01-02", day)).write_text(json.dumps(found))
    assert [s.value for s in read([tmp_path]).external if s.task.startswith("lm_eval/mmlu")] == [0.75]


def test_a_model_keeps_a_name_that_is_known():
    ours = [OtherScore("t", "m", "openai/gpt-4o", 1.0, None, 1, 0)]
    assert as_known(ours, ["openai/gpt-4o", "openrouter/openai/gpt-4o"]) == ours
    theirs = [OtherScore("t", "m", "q", 1.0, None, 1, 0, elsewhere=True)]
    assert as_known(theirs, ["vllm/q"])[0].model == "vllm/q"
    assert as_known(theirs, ["vllm/q", "hf/q"])[0].model == "q"


def test_where_logs_are_judged_they_are_no_logs(tmp_path):
    asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", "REFUSED", name="base")
    (tmp_path / NAME).write_text(json.dumps(body("base")))
    assert [path.suffix for path in find([tmp_path])[0]] == [".eval"]
    assert {path.suffix for path in find([tmp_path], others=True)[0]} == {".eval", ".json"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"results": {"a": {"alias": "a"}}, "n-shot": {}}', "without a metric"),
        ('{"results": {"a": {"acc,none": NaN}}, "n-shot": 3, "n-samples": [], "config": 4}', "without a metric"),
        ('{"results": []}', "holds no table"),  # whatever it is called, it is somebody's table then
        ("[1]", "holds no table"),
        ("{", "is no JSON; fetch it again"),
    ],
)
def test_what_is_no_such_file_is_one_sentence(tmp_path, content, sentence):
    (tmp_path / NAME).write_text(content)
    done = spillover("report", tmp_path / NAME)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert sentence in " ".join(done.stderr.split())


def test_a_damaged_file_in_a_folder_is_named(tmp_path):
    asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", "REFUSED", name="base")
    (tmp_path / NAME).write_text(json.dumps(body())[:-40])
    (tmp_path / "results_of_mine.json").write_text("{")
    found = read([tmp_path])
    (left_out,) = found.left_out
    assert "is called like a result file of lm-eval and is no JSON" in left_out
