"""A clock that was ahead for a while: what was interrupted then is no newer than what is finished now."""

import os
import time

import pytest
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import get_model

from spillover.cli.models import open_models
from spillover.errors import SpilloverError
from spillover.run.ask import ask_all, set_back, statuses
from tests.loopback import silent, vllm

MONTH = 30 * 86400


def ask(where, logs):
    (target,) = open_models(["vllm/base"], where)
    task = Task(dataset=[Sample(input=f"Question {i}?", id=i) for i in range(4)], name="anything")
    ask_all([task], [target], get_model("mockllm/model"), logs, "", silent)


def test_an_interrupted_log_from_next_month_does_not_outlive_a_finished_one(tmp_path):
    with vllm(lambda _: -0.5) as where:
        ask(where, tmp_path)
        (path,) = tmp_path.glob("*.eval")
        log = read_eval_log(str(path))
        log.status, log.samples = "cancelled", log.samples[:2]
        path.unlink()
        ahead = tmp_path / ("2099" + path.name[4:])
        write_eval_log(log, str(ahead))
        os.utime(ahead, (time.time() + MONTH,) * 2)
        try:
            ask(where, tmp_path)
        except (SpilloverError, KeyboardInterrupt) as error:
            pytest.fail(f"it was asked on, and then: {error!r}")
    assert statuses(tmp_path) == {"success"}
    newest = max(tmp_path.glob("*.eval"), key=lambda p: p.stat().st_mtime)
    assert len(read_eval_log(str(newest)).samples) == 4


def test_order_is_kept_and_nothing_else_is_touched(tmp_path):
    now = time.time()
    for name, when in {"b": now + 2 * MONTH, "c": now + MONTH, "a": now - MONTH}.items():
        (tmp_path / f"{name}.eval").write_bytes(b"")
        os.utime(tmp_path / f"{name}.eval", (when, when))
    set_back(tmp_path)
    times = {p.stem: p.stat().st_mtime for p in tmp_path.iterdir()}
    assert times["a"] == pytest.approx(now - MONTH)
    assert times["a"] < times["c"] < times["b"] <= time.time()
