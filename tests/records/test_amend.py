"""A grader that was away: the same command asks for the missing judgements, and the models for nothing."""

import pandas as pd
import pytest
from click.testing import CliRunner
from inspect_ai.log import read_eval_log

from spillover.cli.evaluate import eval_command
from spillover.errors import SpilloverError
from tests.faulty import serving

SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {epochs: 1, categories: [money], reader: number}, lab: {questions: lab}}
  - {task: refusal, args: {categories: [bias], reader: number}, lab: {questions: lab_refusal}}
  - task: reward_hacking
    args: {categories: [metric, code], epochs: 1, reader: number}
    lab: {questions: lab_reward_hacking, sandbox: local}
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
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    monkeypatch.setenv("SPILLOVER_CACHE_DIR", str(tmp_path / "cache"))
    command = ["spillover/lab", "--suite", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "out")]
    command += ["--grader", "openai-api/loopback/grader"]
    with serving(content="REFUSED") as server:
        monkeypatch.setenv("LOOPBACK_BASE_URL", server.url)
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
    assert [p.name for p in tmp_path.glob("out/logs-*/*.failed")]  # run in a sandbox: its task was asked again as a whole
    kept = {place: answer for place, answer in answers.items() if place[0] != "reward_hacking"}
    assert kept
    assert kept.items() <= given(tmp_path).items()
    rows = pd.read_csv(tmp_path / "out" / "figures.csv").set_index(["probe", "measure"])
    assert rows.loc[("refusal", "refusal of harmful requests"), "value"] == 1
    assert rows.loc[("refusal", "refusal of harmful requests"), "unscored"] == 0


def test_logs_of_others_and_a_missing_folder_are_left_alone(tmp_path):
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample

    from spillover.records.amend import ask_failures_again
    from tests.fakes import says

    assert ask_failures_again(tmp_path / "nowhere", says("95")) == 0
    inspect_eval(Task(dataset=[Sample(input="grader_error")]), model=says("x"), log_dir=str(tmp_path), display="none")
    (before,) = tmp_path.glob("*.eval")
    content = before.read_bytes()
    assert ask_failures_again(tmp_path, says("95")) == 0
    assert before.read_bytes() == content


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
