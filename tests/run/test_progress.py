"""The bar of an evaluation: answers once each, whatever was asked again, and the calls and tokens that it took."""

import re
import subprocess
import sys

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.solver import generate

from spillover.run.progress import counted
from tests.fakes import model, output

SAMPLES = 3


def run(says, **more):
    told = []
    task = Task(dataset=[Sample("Hello?", id=f"s{i}") for i in range(SAMPLES)], solver=generate(), epochs=2)
    target = model(says, "target")
    (one,) = counted([task], 1, lambda *now: told.append(now))
    (log,) = inspect_eval(one, model=target, display="none", log_dir=more.pop("log_dir"), **more)
    return told, log


def calls(note):
    return int(re.match(r"answers, ([\d,]+) calls, [\d.]+ k tokens$", note)[1].replace(",", ""))


def test_answers_and_calls_are_told_as_they_come(tmp_path):
    told, _ = run(lambda messages: output("Hi."), log_dir=str(tmp_path))
    assert [now[:2] for now in told] == [(i, SAMPLES * 2) for i in range(1, SAMPLES * 2 + 1)]
    assert calls(told[-1][2]) == SAMPLES * 2


def test_what_is_asked_again_counts_once_and_its_calls_count(tmp_path):
    failed = []

    def says(messages):
        if len(failed) < 2:
            failed.append(1)
            raise RuntimeError("a hiccup")
        return output("Hi.")

    told, log = run(says, log_dir=str(tmp_path), retry_on_error=3)
    assert log.status == "success"
    assert len(told) > SAMPLES * 2  # that is what a bar over 100 % was made of
    assert max(done for done, _, _ in told) == SAMPLES * 2
    assert calls(told[-1][2]) >= SAMPLES * 2


def test_inspect_says_nothing_of_it():
    """In a process of its own: Inspect tells of hooks once, when the first model is opened."""
    code = "import spillover.run.progress; from inspect_ai.model import get_model; get_model('mockllm/model')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hooks" not in done.stdout + done.stderr
