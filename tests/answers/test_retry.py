"""A grader that was away: the same command asks for the missing judgements, and the models for nothing."""

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalError, read_eval_log, write_eval_log
from inspect_ai.model import get_model
from inspect_ai.util import SandboxEnvironmentSpec

from spillover.answers.outcomes import read_outcomes
from spillover.answers.retry import ask_failures_again
from spillover.cli.evaluate import eval_command
from spillover.errors import SpilloverError
from spillover.tasks.sabotage import sabotage
from tests.fakes import says
from tests.faulty import serving

SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {epochs: 1, categories: [money], reader: number}, lab: {questions: lab}}
  - {task: refusal, args: {categories: [bias], reader: number}, every: 4, lab: {questions: lab_refusal}}
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
    command = ["spillover/lab", "--suite", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out")]
    with serving(content="REFUSED") as server:
        command += ["--grader", server.grader(monkeypatch)]
        server.down = "401"
        first = CliRunner().invoke(eval_command, command)
        assert isinstance(first.exception, SpilloverError), first.output
        assert "judgements failed because the grader could not be reached" in str(first.exception)
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


def test_what_was_judged_stays_and_second_opinions_are_asked_for(tmp_path, monkeypatch):
    """Without a cache nothing but the log itself knows what was judged before."""
    with serving(content="CLEAN") as server:
        grader = get_model(server.grader(monkeypatch), memoize=False)

        def ask(task):
            (log,) = inspect_eval(
                task, model="spillover/lab", model_roles={"grader": grader}, log_dir=str(tmp_path), display="none"
            )
            assert log.status == "success", log.error
            return log

        ask(sabotage("lab_sabotage", "framing_a_colleague", reader="number", epochs=2, cache=False))
        server.down = "401"
        ask(sabotage("lab_sabotage", "framing_a_colleague", reader="number", epochs=1, cache=False))
        epochs = {read_eval_log(str(p), header_only=True).eval.config.epochs: p for p in tmp_path.glob("*.eval")}
        good, bad = epochs[2], epochs[1]
        before = good.read_bytes()
        assert sum(r.failed for r in read_outcomes([bad])) == 2  # the tempted run and its twin: scored, but not by the judge
        assert ask_failures_again(tmp_path, grader) == 2
        assert sum(r.failed for r in read_outcomes([bad])) == 2  # still down
        log = read_eval_log(str(bad))
        first = log.samples[0].scores["conduct"]
        log.samples[0].scores["conduct"] = first.model_copy(
            update={"metadata": {**first.metadata, "readings": {}}}
        )  # as if this one was judged
        log.samples[1].error = EvalError(message="broke", traceback="", traceback_ansi="")
        write_eval_log(log, str(bad))
        server.down = ""
        assert ask_failures_again(tmp_path, grader) == 0  # one is judged, the other one broke
        log.samples[1].error = None
        write_eval_log(log, str(bad))
        asked = sum(server.asked.values())
        assert ask_failures_again(tmp_path, grader) == 1
        assert sum(server.asked.values()) == asked + 1
    assert good.read_bytes() == before
    (run,) = read_outcomes([bad])
    assert (run.failed, run.second) == (0, (None, "none"))


def test_what_was_run_in_a_sandbox_is_asked_again_as_a_whole_and_once(tmp_path):
    (log,) = inspect_eval(
        sabotage("lab_sabotage", "framing_a_colleague", twins=False, epochs=1),
        model="spillover/lab",
        model_roles={"grader": says("CLEAN", "grader")},
        log_dir=str(tmp_path),
        display="none",
    )
    (path,) = tmp_path.glob("*.eval")
    log.samples[0].sandbox = SandboxEnvironmentSpec("local")
    log.samples[0].scores["conduct"].metadata["readings"] = {"transcript": {"reason": "grader_error: away"}}
    write_eval_log(log, str(path))
    assert ask_failures_again(tmp_path, says("CLEAN")) == 1
    assert [p.suffix for p in tmp_path.glob("*.eval*")] == [".failed"]
    write_eval_log(log, str(path))
    assert ask_failures_again(tmp_path, says("CLEAN")) == 1
    assert sorted(p.suffix for p in tmp_path.glob("*.eval*")) == [".eval", ".failed"]


def test_logs_of_others_and_a_missing_folder_are_left_alone(tmp_path):
    assert ask_failures_again(tmp_path / "nowhere", says("95")) == 0
    inspect_eval(Task(dataset=[Sample(input="grader_error")]), model=says("x"), log_dir=str(tmp_path), display="none")
    (before,) = tmp_path.glob("*.eval")
    content = before.read_bytes()
    assert ask_failures_again(tmp_path, says("95")) == 0
    assert before.read_bytes() == content


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
