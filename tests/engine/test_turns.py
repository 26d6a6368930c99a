"""Who is computed next, what is kept of prompts, and what fits a machine."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import DynamicCache

from spillover.engine import machine
from spillover.engine.prefix import MIN_SHARED, Prefixes, cache_of, common
from spillover.engine.request import Request, Sampling
from spillover.engine.turns import TURN_STEPS, Turns, Waiting


def request(adapter):
    return Request([1, 2], Sampling(max_tokens=1), 0, adapter=adapter)


def test_an_adapter_keeps_its_turn_until_it_has_nothing_left():
    waiting = Waiting()
    for adapter in ("a", "b", "a", "b", "a"):
        waiting.put(request(adapter))
    assert [(who, len(new)) for who, new in [waiting.next({}, 2, admit=True)]] == [("a", 2)]
    assert waiting.next({"a": 2}, 2, admit=True) == ("a", [])
    who, new = waiting.next({"a": 1}, 2, admit=True)
    assert (who, len(new)) == ("a", 1)
    who, new = waiting.next({}, 2, admit=True)
    assert (who, len(new)) == ("b", 2)


def test_nobody_waits_for_ever():
    waiting = Waiting()
    for adapter in ("a", "b"):
        waiting.put(request(adapter))
    seen = [waiting.next({}, 1, admit=True)]
    waiting.put(request("a"))
    for _ in range(TURN_STEPS + 5):  # one of its answers goes on and on, and its next request waits
        seen.append(waiting.next({"a": 1}, 1, admit=True))
    assert {who for who, _ in seen} == {"a"}
    assert sum(len(new) for _, new in seen) == 1
    assert waiting.next({}, 1, admit=True)[0] == "b"  # drained: caches are never kept for two


def test_answers_in_flight_are_joined_only_when_they_may():
    waiting = Waiting()
    waiting.put(request("a"))
    assert waiting.next({"a": 1}, 8, admit=False) == ("a", [])
    assert len(waiting.next({"a": 1}, 8, admit=True)[1]) == 1


def test_what_waits_when_the_engine_closes_is_failed():
    waiting = Waiting()
    asked = [request("a"), request("b")]
    for one in asked:
        waiting.put(one)
    waiting.back(waiting.next({}, 8, admit=True)[1])
    waiting.fail(RuntimeError("closed"))
    for one in asked:
        with pytest.raises(RuntimeError, match="closed"):
            one.future.result(timeout=1)


def test_turns_are_given_in_order_and_to_one_at_a_time():
    turns, order, inside = Turns(), [], []
    go = threading.Event()

    def first():
        with turns.turn():
            go.set()
            time.sleep(0.05)

    def one(number):
        go.wait()
        time.sleep(number * 0.01)
        with turns.turn():
            inside.append(number)
            assert len(inside) == 1
            order.append(number)
            inside.clear()

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(first), *(pool.submit(one, n) for n in range(3))]
        for future in done:
            future.result(timeout=10)
    assert order == [0, 1, 2]


def filled(tokens, layers=2):
    cache = DynamicCache()
    for layer in range(layers):
        values = torch.tensor(tokens, dtype=torch.float32)[None, None, :, None].expand(1, 2, -1, 4) + layer
        cache.update(values, -values, layer)
    return cache


def test_a_kept_prompt_serves_all_that_begin_like_it():
    kept = Prefixes()
    tokens = list(range(100))
    kept.keep("a", tokens, filled(tokens))
    other = tokens[:60] + [999] * 40
    length, layers = kept.find("a", other)
    assert length == 60
    assert layers[1][0].shape == (1, 2, 60, 4)
    assert layers[1][0][0, 0, :, 0].tolist() == [t + 1 for t in tokens[:60]]
    assert cache_of(layers, 3).layers[0].keys.shape == (3, 2, 60, 4)
    assert kept.find("b", other) == (0, [])
    assert kept.find("a", tokens[: MIN_SHARED - 1]) == (0, [])


def test_what_is_kept_is_bounded_and_the_least_used_goes_first():
    one = filled(range(100))
    size = sum(t.numel() * 4 for layer in one.layers for t in (layer.keys, layer.values))
    kept = Prefixes(budget=2 * size)
    prompts = [[n] * 100 for n in range(3)]
    for prompt in prompts[:2]:
        kept.keep(None, prompt, filled(prompt))
    kept.find(None, prompts[0])
    kept.keep(None, prompts[2], filled(prompts[2]))
    assert [kept.find(None, p)[0] for p in prompts] == [100, 0, 100]


def test_what_a_longer_prompt_begins_with_gives_way():
    kept = Prefixes()
    kept.keep(None, [1] * 40, filled([1] * 40))
    kept.keep(None, [1] * 80, filled([1] * 80))
    assert len(kept._kept) == 1


def test_common():
    assert common([1, 2, 3], [1, 2, 4]) == 2
    assert common([1, 2], [1, 2, 4]) == 2


@pytest.fixture
def checkpoint(tmp_path):
    def make(megabytes, dtype):
        (tmp_path / "config.json").write_text(json.dumps({"dtype": dtype}))
        with (tmp_path / "model.safetensors").open("wb") as file:
            file.truncate(megabytes << 20)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("megabytes", "dtype", "can", "expected"),
    [
        (10, "bfloat16", True, ("cpu", "float32", 1)),
        (270, "bfloat16", True, ("cpu", "bfloat16", 3)),
        (270, "float32", True, ("cpu", "float32", 3)),
        (270, "bfloat16", False, ("cpu", "float32", 3)),
    ],
)
def test_what_fits_the_machine(checkpoint, monkeypatch, megabytes, dtype, can, expected):
    monkeypatch.setattr(machine, "_multiplies_bfloat16", lambda: can)
    monkeypatch.setattr(machine, "_idle_cores", lambda: 3)
    path = checkpoint(megabytes, dtype)
    assert machine.fitting(path, "cpu") == expected
    assert machine.fitting(path, "cpu", "float16", 7) == ("cpu", "float16", 7)


def test_busy_cores_are_left_alone(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda logical=True: 8 if logical else 4)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: range(8), raising=False)
    for percent, expected in ((0, 4), (25, 2), (100, 1)):
        monkeypatch.setattr(machine.psutil, "cpu_percent", lambda interval, percent=percent: percent)
        assert machine._idle_cores.__wrapped__() == expected
