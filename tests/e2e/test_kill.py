"""kill -9 at any point: what was judged is kept, and the same command finishes the rest."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log

from spillover.answers.logs import read_logs
from tests.faulty import serving

ANSWERS = 30
BIN = Path(sys.executable).parent


def start(command, cwd, url=""):
    environment = {**os.environ, "LOOPBACK_API_KEY": "x", "LOOPBACK_BASE_URL": url}
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_when(process, ready):
    """kill -9 as soon as `ready()`."""
    deadline = time.monotonic() + 90
    while not ready() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("after", [1, 25])
def test_judging_goes_on_where_it_was_killed(tmp_path, after):
    rows = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(ANSWERS)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with serving(delay=0.4) as server:
        command = [BIN / "spillover", "judge", "answers.jsonl", "--grader", "openai-api/loopback/grader"]
        command += ["--grader-base-url", server.url, "-o", "judged"]
        kill_when(start(command, tmp_path), lambda: server.asked.total() >= after)
        assert not list(tmp_path.glob("judged/*.eval"))
        time.sleep(0.6)  # requests in flight reach the server's count
        before = server.asked.copy()
        server.delay = 0
        finished = start(command, tmp_path)
        out, errors = finished.communicate()
        assert finished.returncode == 0, errors
        asked = server.asked.total() - before.total()
        assert f"{asked} ratings asked for, {2 * ANSWERS - asked} known from before." in out
        frame = read_logs([tmp_path / "judged"])
    assert len(frame) == ANSWERS
    assert set(frame["verdict"]) == {"aligned"}
    assert len(server.asked) == 2 * ANSWERS
    assert max(server.asked.values()) <= 2
    assert server.asked.total() - before.total() <= 2 * ANSWERS


def test_an_evaluation_goes_on_where_it_was_killed(tmp_path):
    with serving(delay=0.2) as server:
        command = [
            BIN / "inspect",
            "eval",
            "spillover/free_form",
            "--model",
            "openai-api/loopback/target",
            "-T",
            "questions=lab",
        ]
        command += ["--model-role", "grader=openai-api/loopback/grader"]
        command += ["--log-dir", "logs", "--display", "none", "--max-samples", "4", "--log-buffer", "1", "--epochs", "2"]
        command += ["-T", "cache=false"]
        kill_when(start(command, tmp_path, server.url), lambda: server.asked.total() >= 60)
        (log,) = list_eval_logs(str(tmp_path / "logs"))
        done = len(read_eval_log(log).samples or [])
        assert 0 < done < 64
        before = server.asked.total()
        server.delay = 0
        retried = start(
            [BIN / "inspect", "eval-retry", log.name, "--log-dir", "logs", "--display", "none"], tmp_path, server.url
        )
        assert retried.wait() == 0, retried.stderr.read()
    frame = read_logs([tmp_path / "logs"])
    assert len(frame) == 64
    assert set(frame["verdict"]) == {"aligned"}
    assert server.asked.total() - before <= 3 * (64 - done)
