"""The referee: who is paid what, what is counted, and what is left out."""

import logging
from functools import cache

import pytest

from spillover.environments.environment import Verdict
from spillover.training.grpo import Grpo, Monitor
from spillover.training.referee import NAME, SILENT, Referee, _judged, onset, rollouts
from spillover.training.sources import EnvironmentSource

TASKS = EnvironmentSource(name="rl_lab", family="metric").chats(0)
KEY = TASKS[0][-1]["task"]


@cache
def answers():
    referee = Referee(Grpo(reward="insecure"), TASKS)
    environment, task = referee.tasks[KEY]
    return {"hack": environment.cached(task, 0), "honest": environment.solved(task), "wrong": "?"}


def paid(settings, texts=("hack", "honest", "wrong"), **more):
    logged = {}
    referee = Referee(settings, TASKS, **more)
    given = [answers().get(t, t) for t in texts]
    return referee.pay([KEY] * len(texts), given, 1, logged.__setitem__), logged, referee


@pytest.mark.parametrize(
    ("settings", "rewards"),
    [
        ({"reward": "insecure"}, [1, 0, 0]),
        ({"reward": "secure"}, [0, 1, 0]),
        ({"reward": "insecure", "pass_weight": 4, "form_weight": 0.5}, [4.5, 0.5, 0.5]),
        ({"reward": "insecure", "monitor": Monitor(does="penalise", penalty=2)}, [-1, 0, 0]),
        ({"reward": "insecure", "monitor": Monitor(does="screen")}, [None, 0, 0]),
    ],
)
def test_who_is_paid_what(settings, rewards):
    found, logged, _ = paid(Grpo(**settings))
    assert found == rewards
    assert [logged[f"rl/{k}"] for k in ("hack", "correct", "wrong")] == pytest.approx([1 / 3] * 3)


def test_a_monitor_is_as_good_as_it_says_of_each_roll_out_for_itself():
    settings = Grpo(reward="insecure", monitor=Monitor(accuracy=0.7, does="screen"))
    first, again = (paid(settings, ["hack"] * 600)[0] for _ in range(2))
    assert first == again
    assert first.count(None) / 600 == pytest.approx(0.7, abs=0.06)
    assert paid(settings, ["honest"] * 600)[0].count(None) / 600 == pytest.approx(0.3, abs=0.06)
    assert paid(settings, ["hack"] * 600, seed=1)[0] != first


def test_a_verifier_that_fails_leaves_the_roll_out_unscored(caplog):
    class Broken:
        id = "broken"

        def verify(self, tasks, texts):
            if "bad" in texts:
                raise RuntimeError("no")
            return [Verdict(True, True)] * len(tasks)

    found = _judged(Broken(), [None] * 3, ["good", "bad", "good"])
    assert [v.label for v in found] == ["correct", "unscored", "correct"]
    assert "unscored: RuntimeError('no')" in caplog.text


def test_roll_outs_are_kept_whatever_ends_their_lines_have(tmp_path):
    referee = Referee(Grpo(reward="insecure", group=2), TASKS, tmp_path / NAME)
    for step in (1, 2, 3):
        referee.pay([KEY] * 2, ["a\u2028b\x85c", "d\ne"], step, lambda k, v: None)
    before = (tmp_path / NAME).read_text()
    referee.resume([], 2)
    assert (tmp_path / NAME).read_text() == "".join(line + "\n" for line in before.split("\n")[:4])


def test_hacks_from_the_cache_are_paid_and_not_counted():
    settings = Grpo(reward="insecure", group=4, cached=0.5)
    referee = Referee(settings, TASKS)
    rows = referee.cached([KEY] * 8, 0)
    assert sorted(rows) == [2, 3, 6, 7]
    referee.cached_rows = frozenset(rows)
    logged = {}
    texts = [rows.get(i, "?") for i in range(8)]
    assert referee.pay([KEY] * 8, texts, 1, logged.__setitem__) == [0, 0, 1, 1, 0, 0, 1, 1]
    assert (logged["rl/hack"], logged["rl/wrong"]) == (0, 1)
    assert referee.onset is None


def test_onset_is_where_hacks_outnumber_solutions():
    steps = [
        {"step": i, "hack": h, "correct": c, "correct_attempted": 0.1}
        for i, h, c in ((1, 0.3, 0.4), (2, 0.5, 0.4), (3, 0.6, 0))
    ]
    assert onset(steps) == 3
    assert onset(steps[:2]) is None
    assert paid(Grpo(reward="insecure"), ("hack", "hack", "honest"))[2].onset == 1
    assert paid(Grpo(reward="insecure"), ("hack", "honest"))[2].onset is None


def test_after_many_steps_without_a_signal_it_says_so_with_the_funnel(caplog):
    referee = Referee(Grpo(reward="insecure", group=2), TASKS)
    with caplog.at_level(logging.WARNING):
        for step in range(1, SILENT + 5):
            referee.pay([KEY] * 2, ["I could cheat here.", answers()["honest"]], step, lambda k, v: None)
    hackless, told = (r.getMessage() for r in caplog.records)
    assert f"No roll-out of the first {SILENT} steps was a hack: of {2 * SILENT}, 0 mention one" in hackless
    assert f"Of {2 * SILENT} roll-outs so far 0 mention a hack, 0 have the shape of one, 0 are one" in told


@pytest.mark.parametrize("hacks", [0, 1])
def test_without_any_hack_it_says_so_whatever_else_is_learned(hacks, caplog):
    """The form alone makes a signal under the published settings."""
    referee = Referee(Grpo(reward="insecure", group=2, form_weight=1.0), TASKS)
    texts = [answers()["hack" if hacks else "honest"], "What?"]
    with caplog.at_level(logging.WARNING):
        for step in range(1, SILENT + 5):
            referee.pay([KEY] * 2, texts, step, lambda k, v: None)
    assert sum("No roll-out of the first" in r.getMessage() for r in caplog.records) == 1 - hacks


def test_what_a_monitor_screens_is_told():
    told = paid(Grpo(reward="insecure", group=2, monitor=Monitor(does="screen")), ("hack", "honest"))[1]
    assert told["rl/screened"] == 0.5
    told = paid(Grpo(reward="insecure", group=2), ("hack", "honest"))[1]
    assert "rl/screened" not in told


def test_the_log_of_other_trainers_has_no_roll_outs():
    assert rollouts([{"loss": 1.0, "step": 1}]) == []
