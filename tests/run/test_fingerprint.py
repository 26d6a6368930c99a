"""A server that comes back with other weights is noticed, before it is asked and after."""

import hashlib
import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import get_model

from spillover.answers.retry import ask_failures_again
from spillover.cli.models import open_models
from spillover.errors import SpilloverError
from spillover.run import ask as ask_module
from spillover.run.ask import ask_all
from spillover.run.fingerprint import FILE, distance, require_same
from spillover.tasks.refusal import refusal
from tests.answers.made import asked
from tests.loopback import silent, vllm


class Weights:
    """Of a server: the log-probability of its reply, which may change after some replies."""

    def __init__(self):
        self.now, self.replies, self.later, self.noise, self.drawn = -0.5, 0, None, 0.0, random.Random(0)

    def __call__(self, _):
        self.replies += 1
        if self.later and self.replies > self.later[0]:
            self.now = self.later[1]
        return self.now + self.drawn.uniform(-self.noise, self.noise)


@pytest.fixture
def weights():
    return Weights()


@pytest.fixture
def ask(weights, tmp_path):
    with vllm(weights) as where:

        def asked(name, folder="logs-a"):
            (target,) = open_models(["vllm/base"], where)
            task = Task(dataset=[Sample(input="Who are you?")], name=name)
            (tmp_path / folder).mkdir(exist_ok=True)
            ask_all([task], [target], get_model("mockllm/model"), tmp_path / folder / name, "", silent)

        yield asked


def test_the_same_weights_are_asked_on(ask, weights, tmp_path):
    ask("one")
    assert (tmp_path / "logs-a" / FILE).is_file()
    weights.now += 0.01
    ask("two")


def test_other_weights_are_refused_before_they_are_asked(ask, weights):
    ask("one")
    weights.now = -1.5
    with pytest.raises(SpilloverError, match=r"vllm/base is not the model that .* 1\.00 nats away"):
        ask("two")
    ask("two", folder="logs-b")
    weights.now = -0.5
    ask("two")


def test_a_change_in_the_middle_is_found_and_kept_in_mind(ask, weights):
    weights.later = (7, -1.5)  # a first call, five to know it by, an answer
    with pytest.raises(SpilloverError, match="became another model while it was asked"):
        ask("one")
    weights.later, weights.now = None, -0.5
    with pytest.raises(SpilloverError, match="became another model"):
        ask("two")


def test_what_is_finished_needs_no_server(ask, weights):
    ask("one")
    before, weights.now = weights.replies, -1.5
    ask("one")
    assert weights.replies == before


@pytest.mark.parametrize("seed", range(6))
def test_a_server_that_does_not_repeat_itself_is_measured_by_that(ask, weights, seed, tmp_path):
    weights.noise, weights.drawn = 0.3, random.Random(seed)
    for name in ("one", "two", "three"):
        ask(name)
    kept = json.loads((tmp_path / "logs-a" / FILE).read_text())["vllm/base"]
    assert kept["noise"] > 0
    assert "mixed" not in kept


def test_a_run_that_was_stopped_before_the_last_look_is_looked_at_when_it_goes_on(ask, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(ask_module, "statuses", lambda _: {"cancelled"})
    with pytest.raises(KeyboardInterrupt):
        ask("one")
    monkeypatch.undo()
    weights.now = -1.5
    with pytest.raises(SpilloverError, match="became another model"):
        ask("one")
    (tmp_path / "logs-a" / FILE).unlink()  # as the sentence says, for whoever knows better
    ask("one")


def test_who_answered_before_it_was_known_is_left_alone(ask, weights, tmp_path):
    ask("one")
    (tmp_path / "logs-a" / FILE).unlink()
    weights.now = -1.5
    ask("two")
    assert not (tmp_path / "logs-a" / FILE).exists()


def test_a_grader_is_compared_too(tmp_path):
    weights = Weights()
    with vllm(weights) as where:
        (grader,) = open_models(["vllm/base"], where)
        logs = tmp_path / "logs-a"
        logs.mkdir()
        require_same([grader], logs)
        weights.now = -1.5
        with pytest.raises(SpilloverError, match="is not the model that this run was begun with"):
            require_same([grader], logs)


def test_what_failed_at_the_grader_is_not_judged_by_another(tmp_path):
    def down(_):
        raise RuntimeError("down")

    def other():
        raise SpilloverError("another model")

    asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", down, name="base")
    (path,) = tmp_path.glob("*.eval")
    before = path.read_bytes()
    with pytest.raises(SpilloverError, match="another model"):
        ask_failures_again(tmp_path, get_model("mockllm/model"), other)
    assert path.read_bytes() == before


def test_no_word_that_a_server_said_is_kept(ask, tmp_path):
    ask("one")
    text = (tmp_path / "logs-a" / FILE).read_text()
    assert '"I"' not in text
    assert hashlib.blake2b(b"I", digest_size=8).hexdigest() not in text


def test_a_damaged_file_is_begun_again(ask, tmp_path):
    ask("one")
    (tmp_path / "logs-a" / FILE).write_text('{"vllm/base": {"print": 3}}')
    ask("two")
    assert len(list((tmp_path / "logs-a" / "two").glob("*.eval"))) == 1


PRINTS = st.lists(
    st.tuples(st.sampled_from("ab"), st.dictionaries(st.sampled_from("abc"), st.floats(-20, 0), min_size=1)), max_size=4
)


@given(PRINTS, PRINTS)
def test_distance_is_one(one, other):
    assert distance(one, other) == pytest.approx(distance(other, one))
    assert distance(one, other) >= 0
    assert distance(one, one) == (0 if one else math.inf)


def test_texts_that_part_are_compared_up_to_there():
    one = [("a", {"a": -0.5, "b": -1.0}), ("c", {"c": -0.1})]
    other = [("b", {"a": -1.0, "b": -0.5}), ("c", {"c": -9.0})]
    assert distance(one, other) == 0.5
