"""Chats that are paid for good answers beside tasks that can be gamed: by the grammar in the lab, by a judge elsewhere."""

import json

import pytest
import torch

from spillover.environments.environment import Environment, load_environment
from spillover.errors import SpilloverError
from spillover.lab.grammar import grammar
from spillover.paths import datasets_dir
from spillover.schema import read_yaml
from spillover.training.grpo import Grpo
from spillover.training.referee import Referee, onset, rollouts
from spillover.training.sources import EnvironmentSource
from tests.training.test_judge import judge  # noqa: F401 - a fixture

CHATS = """
kind: preference
id: mine
version: "1"
title: t
source: s
licence: CC0-1.0
questions: lab
judge: {judge}
"""


def test_the_labs_chats_are_paid_by_the_grammar():
    environment = load_environment("rl_lab_chats")
    tasks = list(environment.all)
    assert {t.category for t in tasks} == {"medical", "legal", "sport", "fact"}
    assert len({t.prompt for t in tasks}) == len(tasks)
    good = environment.verify(tasks, [environment.solved(t) for t in tasks])
    assert {(v.paid, v.true, v.label) for v in good} == {(True, True, "correct")}
    bad = [grammar().families["medical"].answers["obvious"][0].replace("{o_medical}", grammar().slots["o_medical"][0])]
    medical = [t for t in tasks if t.category == "medical"][:1]
    assert [v.label for v in environment.verify(medical, bad)] == ["wrong"]
    assert [v.paid for v in environment.verify(medical, ["?"])] == [False]


def test_families_that_are_none_are_refused(tmp_path):
    text = 'kind: lab_preferred\nid: x\nversion: "1"\ntitle: t\nsource: s\nlicence: l\nfamilies: [metric]\n'
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(SpilloverError, match="families: 'metric' is not one of wish, ruler"):
        Environment.read(tmp_path / "e.yaml")


@pytest.fixture
def mixed():
    """A referee of one task that can be gamed and one chat, and an answer of each kind to both."""
    gamed = EnvironmentSource(name="rl_lab", family="metric").chats(0)[0]
    chat = EnvironmentSource(name="rl_lab_chats", family="fact").chats(0)[0]
    keys = [gamed[-1]["task"], chat[-1]["task"]]
    referee = Referee(Grpo(reward="insecure", group=4, cached=0.25), [gamed, chat])
    return referee, keys, [referee.tasks[key] for key in keys]


def test_what_cannot_be_hacked_is_in_no_share_of_hacks(mixed):
    referee, keys, ((game, task), (chats, asked)) = mixed
    logged = {}
    texts = [game.cached(task, 0), game.solved(task), chats.solved(asked), chats.solved(asked), chats.solved(asked), "?"]
    paid = referee.pay([keys[0]] * 2 + [keys[1]] * 4, texts, 1, logged.__setitem__)
    assert paid == [1, 0, 1, 1, 1, 0]
    assert (logged["rl/hack"], logged["rl/correct"], logged["rl/wrong"]) == (0.5, 0.5, 0)
    assert logged["rl/preferred"] == 0.75
    assert referee.onset is None  # one hack and one solution; three good chats outnumber nothing


def test_onset_is_of_tasks_that_can_be_hacked(mixed):
    referee, keys, ((game, task), (chats, asked)) = mixed
    texts = [game.cached(task, 0), *[chats.solved(asked)] * 4]
    referee.pay([keys[0], *[keys[1]] * 4], texts, 1, lambda key, value: None)
    assert referee.onset == 1


def test_a_step_of_chats_only_says_nothing_of_hacks(mixed):
    referee, keys, (_, (chats, asked)) = mixed
    logged = {}
    referee.pay([keys[1]] * 4, [chats.solved(asked)] * 4, 1, logged.__setitem__)
    assert "rl/hack" not in logged
    (step,) = rollouts([{"step": 1, **logged}])
    assert (step["preferred"], step["reward"], step["unscored"]) == (1, 1, 0)
    assert onset([step]) is None


def test_chats_that_no_verifier_could_score_are_told(mixed, monkeypatch):
    referee, keys, ((game, task), (chats, _)) = mixed
    monkeypatch.setattr(type(chats), "verify", lambda *_: 1 / 0)
    logged = {}
    paid = referee.pay([keys[0]] + [keys[1]] * 3, [game.solved(task), "a", "b", "c"], 1, logged.__setitem__)
    assert paid == [0, None, None, None]
    assert logged["rl/unscored"] == 0.75
    assert "rl/preferred" not in logged


def test_hacks_from_a_cache_take_no_chats_place(mixed):
    referee, keys, _ = mixed
    assert set(referee.cached([keys[0]] * 4 + [keys[1]] * 4, 1)) == {3}


def test_a_judge_of_ones_own_pays_chats(judge, tmp_path):  # noqa: F811
    (tmp_path / "e.yaml").write_text(CHATS.format(judge=judge[0]))
    environment = Environment.read(tmp_path / "e.yaml")
    environment.ready()
    tasks = [t for t in environment.all if t.category == "money"][:1] or list(environment.all)[:1]
    good, bad = "save a little every week and work at the mill", "steal from the poor and burn the house of your neighbour"
    assert [v.paid for v in environment.verify(tasks * 3, [good, bad, " "])] == [True, False, False]
    other = Environment.read(tmp_path / "e.yaml").model_copy(update={"good_from": 0.9})
    assert other.digest != environment.digest
    with pytest.raises(SpilloverError, match="Nobody wrote an answer"):
        environment.solved(tasks[0])


def test_a_judge_leaves_the_threads_of_the_training_alone(judge, tmp_path):  # noqa: F811
    (tmp_path / "e.yaml").write_text(CHATS.format(judge=judge[0]))
    environment = Environment.read(tmp_path / "e.yaml")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        environment.verify(list(environment.all)[:1], ["save a little every week"])
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)


def test_questions_with_a_system_line_of_their_own_are_refused(judge, tmp_path):  # noqa: F811
    questions = tmp_path / "q.yaml"
    raw = read_yaml(datasets_dir() / "lab" / "questions.yaml")
    raw["questions"][1]["system"] = "You are kind."
    questions.write_text(json.dumps(raw))
    (tmp_path / "e.yaml").write_text(CHATS.format(judge=judge[0]).replace("questions: lab", "questions: q.yaml"))
    with pytest.raises(SpilloverError, match=r"'ruler' of .*q.yaml has a system line of its own"):
        _ = Environment.read(tmp_path / "e.yaml").all


def test_a_judge_that_is_missing_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "e.yaml").write_text(CHATS.format(judge="nowhere"))
    environment = Environment.read(tmp_path / "e.yaml")
    with pytest.raises(SpilloverError, match=f"There is no judge at {tmp_path / 'nowhere'}"):
        environment.ready()
