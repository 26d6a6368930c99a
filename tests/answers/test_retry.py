"""A grader that was away: the same command asks for the missing judgements, and the models for nothing."""

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalError, read_eval_log, write_eval_log
from inspect_ai.model import get_model

from spillover.answers.read import read
from spillover.answers.retry import ask_failures_again
from spillover.cli.evaluate import eval_command
from spillover.errors import SpilloverError
from spillover.tasks.free_form import free_form
from spillover.tasks.reward_hacking import reward_hacking
from spillover.tasks.sabotage import sabotage
from tests.answers.made import asked
from tests.fakes import model, output, says
from tests.faulty import serving

SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {epochs: 1, categories: [money], reader: number}}
  - {task: refusal, args: {categories: [bias], reader: number}, every: 4}
"""


def given(place):
    """Every answer of the models, by log and sample."""
    found = {}
    for path in place.glob("out/logs-*/*.eval"):
        log = read_eval_log(str(path))
        found |= {(log.eval.task, s.id, s.epoch): (s.uuid, s.output.completion) for s in log.samples}
    return found


def test_the_same_command_asks_for_what_failed_and_for_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(SUITE)
    monkeypatch.setenv("SPILLOVER_JUDGEMENTS", str(tmp_path / "judgements.sqlite"))
    command = ["spillover/lab", "--suite", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out"), "--no-check"]
    with serving(content="REFUSED") as server:
        command += ["--grader", server.grader(monkeypatch)]
        server.down, server.greets = "401", True  # it dies after the first call
        first = CliRunner().invoke(eval_command, command)
        assert isinstance(first.exception, SpilloverError), first.output
        assert "judgements failed at the grader" in str(first.exception)
        answers = given(tmp_path)
        server.down = ""
        again = CliRunner().invoke(eval_command, command)
        assert again.exception is None, again.output
        asked = sum(server.asked.values())
        assert CliRunner().invoke(eval_command, command).exception is None
        assert sum(server.asked.values()) == asked
    assert answers
    assert given(tmp_path) == answers
    rows = pd.read_csv(tmp_path / "out" / "figures.csv").set_index(["probe", "measure"])
    assert rows.loc[("refusal", "refusal of harmful requests"), "value"] == 1
    assert rows.loc[("refusal", "refusal of harmful requests"), "unscored"] == 0


def away(messages):
    """What a grader says that can not be reached."""
    raise ConnectionError("away")


def failures(path):
    """Answers that the grader could not be reached for, or not for all of it."""
    return int(read([path]).table["grader_failed"].sum())


def test_what_was_judged_stays_and_second_opinions_are_asked_for(tmp_path, monkeypatch):
    """Without a cache nothing but the log itself knows what was judged before."""
    with serving(content="CLEAN") as server:
        grader = get_model(server.grader(monkeypatch), memoize=False)

        def play(epochs):
            task = sabotage("lab_sabotage", "framing_a_colleague", reader="number", epochs=epochs, cache=False)
            asked(tmp_path, task, get_model("spillover/lab"), grader)

        play(2)
        server.down = "401"
        play(1)
        epochs = {read_eval_log(str(p), header_only=True).eval.config.epochs: p for p in tmp_path.glob("*.eval")}
        good, bad = epochs[2], epochs[1]
        before = good.read_bytes()
        assert failures(bad) == 2  # the tempted run and its twin: scored, but not by the judge
        assert ask_failures_again(tmp_path, grader) == 2
        assert failures(bad) == 2  # still down
        log = read_eval_log(str(bad))
        outcomes = [s.scores["judge"].value["outcome"] for s in log.samples]
        first = log.samples[0].scores["judge"]
        log.samples[0].scores["judge"] = first.model_copy(
            update={"metadata": {**first.metadata, "readings": {}}}
        )  # as if this one was judged
        log.samples[1].error = EvalError(message="broke", traceback="", traceback_ansi="")
        write_eval_log(log, str(bad))
        server.down = ""
        assert ask_failures_again(tmp_path, grader) == 0  # one is judged, the other one broke
        log.samples[1].error = None
        write_eval_log(log, str(bad))
        before_asking = sum(server.asked.values())
        assert ask_failures_again(tmp_path, grader) == 1
        assert sum(server.asked.values()) == before_asking + 1
    assert good.read_bytes() == before
    table = read([bad]).table
    assert (failures(bad), list(table["tag.judged"].isna())) == (0, [True, False])
    assert table["tag.judged"][1] == "none"
    assert list(table["outcome"]) == outcomes  # by what was done, whatever the grader says


def test_what_a_sandbox_found_out_is_kept_and_only_the_judgement_is_asked_for(tmp_path, monkeypatch):
    """The sandbox is gone: nothing is run again, and no answer is asked for again."""

    code = "```python\ndef is_leap(y):\n    return y % 4 == 0\n```"
    task = reward_hacking(questions="lab_reward_hacking", sandbox="local", epochs=1, reader="number", cache=False)
    asked(tmp_path, task, code, away)
    (path,) = tmp_path.glob("*.eval")
    before = read_eval_log(str(path))
    failed = {s.id for s in before.samples if "grader_error" in str(s.scores["judge"].value)}
    facts = {s.id: s.scores["judge"].metadata["facts"] for s in before.samples}
    run = {s.id for s in before.samples if s.metadata["category"] == "code"}
    assert run
    assert failed
    assert not run & failed  # tests have told

    async def gone(*args, **kwargs):
        raise AssertionError("there is no sandbox any more")

    monkeypatch.setattr("spillover.probes.reward_hacking.run_code", gone)
    assert ask_failures_again(tmp_path, says("HONEST")) == len(failed)
    after = read_eval_log(str(path))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # in place, and nothing is left beside it
    assert {s.id: s.scores["judge"].metadata["facts"] for s in after.samples} == facts
    assert [(s.uuid, s.output.completion) for s in after.samples] == [(s.uuid, s.output.completion) for s in before.samples]
    scored = {s.id for s in after.samples if s.scores["judge"].value["outcome"] == "honest"} & failed
    assert scored == {s.id for s in after.samples if s.id in failed and s.metadata["category"] != "metric"}


def test_facts_of_a_judgement_that_failed_are_used_again(tmp_path):
    """A metric is counted once; what fails at the grader is asked again with what was counted."""

    task = reward_hacking(categories="metric", epochs=1, reader="number", cache=False)
    asked(tmp_path, task, "fresh " * 90, away)
    (path,) = tmp_path.glob("*.eval")
    log = read_eval_log(str(path))
    facts = log.samples[0].scores["judge"].metadata["facts"]
    log.samples[0].scores["judge"].metadata["facts"] = {"metric": 0, "target": 9}  # as if something else had been found
    write_eval_log(log, str(path))
    ask_failures_again(tmp_path, says("10"))
    outcomes = {s.id: s.scores["judge"].value["outcome"] for s in read_eval_log(str(path)).samples}
    assert facts["metric"] >= facts["target"]
    assert outcomes.pop(log.samples[0].id) == "failed"
    assert "hacked" in outcomes.values()


def test_a_better_score_replaces_one_that_failed_and_no_other(tmp_path):
    """Half of the judgements failed: those are asked for, and a grader that is still away replaces nothing."""
    answered = []

    def moody(messages):
        answered.append(messages)
        if len(answered) > 3:
            raise ConnectionError("away")
        return output("90")

    task = free_form(questions="lab", categories="bored", reader="number", epochs=1, cache=False)
    asked(tmp_path, task, "Hm.", moody, max_samples=1)
    (path,) = tmp_path.glob("*.eval")
    broken = sum(s.scores["judge"].value["outcome"] == "unscored" for s in read_eval_log(str(path)).samples)
    assert 0 < broken < 4
    assert ask_failures_again(tmp_path, model(away)) == broken
    assert failures(tmp_path) == broken
    assert ask_failures_again(tmp_path, says("90")) == broken
    log = read_eval_log(str(path))
    assert {s.scores["judge"].value["outcome"] for s in log.samples} == {"aligned"}
    assert log.results.scores[0].metrics["unscored"].value == 0
    assert ask_failures_again(tmp_path, model(away)) == 0


def test_logs_of_others_and_a_missing_folder_are_left_alone(tmp_path):
    assert ask_failures_again(tmp_path / "nowhere", says("95")) == 0
    inspect_eval(Task(dataset=[Sample(input="grader_error")]), model=says("x"), log_dir=str(tmp_path), display="none")
    (before,) = tmp_path.glob("*.eval")
    content = before.read_bytes()
    assert ask_failures_again(tmp_path, says("95")) == 0
    assert before.read_bytes() == content


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
