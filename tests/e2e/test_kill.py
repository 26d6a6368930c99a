"""kill -9 at any point: what was judged is kept, and the same command finishes the rest."""

import json
import os
import signal

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log

from spillover.answers.read import read
from tests.command import spillover, stopped
from tests.faulty import serving

ANSWERS = 30
KILLED = -signal.SIGKILL


@pytest.mark.parametrize("kept", [0, 24])
def test_judging_goes_on_where_it_was_killed(tmp_path, monkeypatch, kept):
    rows = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(ANSWERS)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    with serving() as server:
        command = ["judge", tmp_path / "answers.jsonl", "--grader", "openai-api/loopback/grader"]
        command += ["--grader-base-url", server.url, "-o", tmp_path / "judged"]
        at = "spillover.judging.cache:JudgementCache.put"
        assert stopped(signal.SIGKILL, at, kept + 1, *command).returncode == KILLED
        assert not list(tmp_path.glob("judged/*.eval"))
        finished = spillover(*command)
        assert finished.returncode == 0, finished.stderr
        assert f"{2 * ANSWERS - kept} ratings asked for, {kept} known from before." in finished.stdout
        table = read([tmp_path / "judged"]).table
    assert len(table) == ANSWERS
    assert set(table["outcome"]) == {"aligned"}
    assert len(server.asked) == 2 * ANSWERS
    assert max(server.asked.values()) <= 2


def test_an_evaluation_goes_on_where_it_was_killed(tmp_path):
    def run(server, command, *args):
        own = {"LOOPBACK_API_KEY": "x", "LOOPBACK_BASE_URL": server.url}
        at = "spillover.judging.assess:Assessor.ask"
        shown = ("--log-dir", "logs", "--display", "none")
        call = 61 if command == "eval" else 10_000  # the second run is not stopped
        return stopped(
            signal.SIGKILL, at, call, command, *args, *shown, program="inspect", cwd=tmp_path, env={**os.environ, **own}
        )

    with serving() as first, serving() as second:
        args = ["spillover/free_form", "--model", "openai-api/loopback/target", "-T", "questions=lab", "-T", "cache=false"]
        args += ["--model-role", "grader=openai-api/loopback/grader", "--epochs", "2"]
        killed = run(first, "eval", *args, "--max-samples", "4", "--log-buffer", "1")
        assert killed.returncode == KILLED, killed.stderr
        (log,) = list_eval_logs(str(tmp_path / "logs"))
        done = len(read_eval_log(log).samples or [])
        assert 0 < done < 64  # every answer is judged twice, and written before its place is given to another one
        retried = run(second, "eval-retry", log.name)
        assert retried.returncode == 0, retried.stderr
        # Of the target: the grader is where the log says. Inspect's own buffer may hold an answer more than the log.
        assert second.asked.total() <= 64 - done
    table = read([tmp_path / "logs"]).table
    assert len(table) == 64
    assert set(table["outcome"]) == {"aligned"}
