"""kill -9 at any point: what was judged is kept, and the same command finishes the rest."""

import json
import signal

from inspect_ai import eval_retry
from inspect_ai.log import read_eval_log

from spillover.answers.read import read
from tests.command import spillover, stopped
from tests.faulty import serving

ANSWERS, KEPT = 30, 24


def test_judging_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    rows = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(ANSWERS)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    with serving() as server:
        command = ["judge", tmp_path / "answers.jsonl", "--grader", "openai-api/loopback/grader", "--no-check"]
        command += ["--grader-base-url", server.url, "-o", tmp_path / "judged"]
        killed = stopped(signal.SIGKILL, "spillover.judging.cache:JudgementCache.put", KEPT + 1, *command)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not list(tmp_path.glob("judged/*.eval"))
        finished = spillover(*command)
        assert finished.returncode == 0, finished.stderr
        assert f"{2 * ANSWERS - KEPT} ratings asked for, {KEPT} known from before." in finished.stdout
    table = read([tmp_path / "judged"]).table
    assert len(table) == ANSWERS
    assert set(table["outcome"]) == {"aligned"}
    assert len(server.asked) == 2 * ANSWERS
    assert max(server.asked.values()) <= 2


def test_a_network_that_is_cut_for_a_while_costs_no_verdict(tmp_path, monkeypatch):
    """And a grader that fails every other time costs none either."""
    rows = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(ANSWERS)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    with serving() as server:
        server.cut_for, server.flips = 3.0, True
        command = ["judge", tmp_path / "answers.jsonl", "--grader", "openai-api/loopback/grader", "--no-check"]
        done = spillover(*command, "--grader-base-url", server.url, "-o", tmp_path / "judged")
        assert done.returncode == 0, done.stderr
        assert f"{2 * ANSWERS} ratings asked for" in done.stdout
        assert server.lost > 0
        assert server.failed > 0
    table = read([tmp_path / "judged"]).table
    assert len(table) == ANSWERS
    assert set(table["outcome"]) == {"aligned"}


def test_an_evaluation_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    """Of Inspect's own command, whose own retry finishes it."""
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    with serving() as first, serving() as second:
        monkeypatch.setenv("LOOPBACK_BASE_URL", first.url)
        command = ["eval", "spillover/free_form", "--model", "openai-api/loopback/target", "--log-dir", tmp_path]
        command += ["--model-role", "grader=openai-api/loopback/grader", "-T", "questions=lab", "-T", "cache=false"]
        command += ["--epochs", "2", "--max-samples", "4", "--log-buffer", "1", "--display", "none"]
        killed = stopped(signal.SIGKILL, "spillover.judging.assess:Assessor.ask", 61, *command, program="inspect")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        (path,) = tmp_path.glob("*.eval")
        done = len(read_eval_log(str(path)).samples or [])
        assert 0 < done < 64  # every answer is judged twice, and written before its place is given to another one
        monkeypatch.setenv("LOOPBACK_BASE_URL", second.url)
        (retried,) = eval_retry(str(path), log_dir=str(tmp_path), display="none")
        assert retried.status == "success", retried.error
        # Of the target: the grader is where the log says. Inspect's own buffer may hold an answer more than the log.
        assert second.asked.total() <= 64 - done
    table = read([tmp_path]).table
    assert len(table) == 64
    assert set(table["outcome"]) == {"aligned"}


def test_what_is_known_is_judged_again_without_the_grader(tmp_path, monkeypatch):
    rows = [{"question": f"Question {i}?", "answer": f"Answer {i}."} for i in range(3)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with serving() as server:
        command = ["judge", tmp_path / "answers.jsonl", "--grader", server.grader(monkeypatch), "--no-check", "-o"]
        assert spillover(*command, tmp_path / "first").returncode == 0
        assert server.hellos == 1
    again = spillover(*command, tmp_path / "again")  # it is gone by now
    assert again.returncode == 0, again.stderr
    assert "0 ratings asked for, 6 known from before." in again.stdout


def test_a_grader_that_is_not_there_ends_it_before_any_rating(tmp_path, monkeypatch):
    (tmp_path / "answers.jsonl").write_text(json.dumps({"question": "Q?", "answer": "A."}))
    with serving() as server:
        server.down = "401"
        done = spillover(
            "judge", tmp_path / "answers.jsonl", "--grader", server.grader(monkeypatch), "--no-check", "-o", tmp_path / "out"
        )
    assert done.returncode == 2
    assert "does not take the key (401" in done.stderr
    assert "again" not in done.stderr
    assert not server.asked


def test_a_studys_grader_that_takes_no_key_ends_it_before_anything_is_trained(tmp_path, monkeypatch):
    with serving() as server:
        server.down = "401"
        done = spillover(
            "run", "quickstart", "--grader", server.grader(monkeypatch), "--no-check", "--out", tmp_path / "out"
        )
    assert done.returncode == 2
    assert "does not take the key (401" in done.stderr
    assert not list(tmp_path.rglob("*.safetensors"))
