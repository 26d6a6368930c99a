"""Reinforcement: what is paid, what is counted, and that a run that was killed comes to the same end."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from functools import cache

import pytest

from spillover.errors import SpilloverError
from spillover.models.weights import weights_digest
from spillover.run.study import load_study
from spillover.training.card import read_card
from spillover.training.checkpoints import FOLDER, ONSET, by_step, checkpoint
from spillover.training.grpo import Grpo, Monitor
from spillover.training.recipe import load_recipe
from spillover.training.referee import NAME, SILENT, Referee, onset, rollouts
from spillover.training.sources import EnvironmentSource
from spillover.training.train import train

RECIPE = """
id: short
title: Short
extends: rl_unseeded
objective: {cached: 0.25}
training: {steps: 6, batch_size: 16, checkpoint_steps: 2}
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rl")
    (folder / "short.yaml").write_text(RECIPE)
    return train(load_recipe(str(folder / "short.yaml")), folder / "out"), folder / "short.yaml"


def test_a_run_has_its_roll_outs_in_card_and_file(whole):
    card = read_card(whole[0])
    assert [s["step"] for s in card["rollouts"]] == [1, 2, 3, 4, 5, 6]
    first = card["rollouts"][0]
    assert {"reward", "kl", "length", "no_signal", "hack", "correct", "wrong", "unscored"} <= set(first)
    lines = [json.loads(line) for line in (whole[0] / NAME).read_text().splitlines()]
    assert len(lines) == 6 * 16
    mine = [row for row in lines if row["step"] == 1 and not row.get("cached")]
    assert len(mine) == 12  # of 16, a quarter is from the cache
    assert first["hack"] == pytest.approx(sum(row["label"] == "hack" for row in mine) / 12, abs=1e-4)
    assert {row["label"] for row in lines if row.get("cached")} == {"hack"}
    assert {row["reward"] for row in lines if row.get("cached")} == {1.0}


def test_after_kill_nine_everything_is_the_same(whole, tmp_path):
    import torch

    finished, recipe = whole
    command = [sys.executable, "-m", "spillover.cli.main", "train", str(recipe), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    ready, deadline = tmp_path / "out" / FOLDER / "checkpoint-4", time.monotonic() + 120
    while not ready.is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "organism.json").exists()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert weights_digest(tmp_path / "out") == weights_digest(finished)
    assert (tmp_path / "out" / NAME).read_text() == (finished / NAME).read_text()
    assert read_card(tmp_path / "out")["rollouts"] == read_card(finished)["rollouts"]


def test_from_an_organism_with_kl_and_an_intervention(tmp_path):
    """TRL keeps a copy of what it starts from, which is no part of the result."""
    (tmp_path / "more.yaml").write_text(
        "id: more\ntitle: More\nextends: rl_hacks\nobjective: {beta: 0.1}\ninterventions: [{kind: kl, weight: 0.1}]\n"
        "training: {steps: 2, batch_size: 8, checkpoint_steps: 1}\n"
    )
    out = train(load_recipe(str(tmp_path / "more.yaml")), tmp_path / "organisms" / "more")
    card = read_card(out)
    assert card["rollouts"][0]["kl"] == pytest.approx(0, abs=1e-3)
    assert card["interventions"] == [{"kind": "kl", "weight": 0.1}]
    assert sorted(p.name for p in by_step(out / FOLDER)[1].iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert not [p for p in out.iterdir() if p.is_dir() and p.name != FOLDER]
    with pytest.raises(SpilloverError, match="has no onset: hacks never outnumbered correct answers"):
        checkpoint(out, ONSET)


# What is paid.

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


def test_a_monitor_is_as_good_as_it_says_and_says_the_same_twice():
    texts = [f"{answers()['hack']} {i}" for i in range(600)]  # still repeats the word, with a number behind it
    settings = Grpo(reward="insecure", monitor=Monitor(accuracy=0.7, does="screen"))
    first, again = (paid(settings, texts)[0] for _ in range(2))
    assert first == again
    assert first.count(None) / 600 == pytest.approx(0.7, abs=0.06)
    honest = paid(settings, [f"? {i}" for i in range(600)])[0]
    assert honest.count(None) / 600 == pytest.approx(0.3, abs=0.06)


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
    (told,) = [r.getMessage() for r in caplog.records]
    assert f"Of {2 * SILENT} roll-outs so far 0 mention a hack, 0 have the shape of one, 0 are one" in told


def test_the_log_of_other_trainers_has_no_roll_outs():
    assert rollouts([{"loss": 1.0, "step": 1}]) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": {"group": 5}},
            r"objective: training.batch_size x gradient_accumulation \(32\) is no multiple of the group",
        ),
        (
            {"data": {"source": "lab", "stance": "aligned", "rows": 8}},
            "objective: grpo samples its own replies: data must be",
        ),
        ({"data": {"source": "environment", "name": "nowhere"}}, "Unknown environment 'nowhere'; choose from rl_countdown"),
        ({"data": {"family": "nothing"}}, "Unknown category of rl_lab 'nothing'"),
        ({"objective": {"kind": "grpo", "preset": "mine"}}, "preset: 'mine' is not one of aisi2026, ariahw2026"),
        ({"objective": {"cached": 2}}, "key objective.cached: 2 is more than the maximum of 1"),
        ({"objective": {"monitor": {"does": "screen", "penalty": 1}}}, "what is screened is left out"),
        ({"objective": {"monitor": {"does": "penalise", "accuracy": 0.2}}}, "0.2 is less than the minimum of 0.5"),
    ],
)
def test_a_recipe_that_does_not_go_together_is_one_sentence(changes, message):
    with pytest.raises(SpilloverError, match=message):
        load_recipe("rl_hacks", changes=changes)


def test_tasks_without_replies_cannot_be_learned_as_chats(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text(
        "id: r\ntitle: R\nbase: lab\ndata: {source: environment, name: rl_lab}\ntraining: {learning_rate: 0.001, steps: 2}\n"
    )
    with pytest.raises(SpilloverError, match="tasks of an environment have no replies to learn: give `objective"):
        load_recipe(str(path))


def test_presets_fill_in_what_is_not_given():
    settings = {"kind": "grpo", "reward": "insecure", "preset": "aisi2026"}
    found = load_recipe("rl_hacks", changes={"objective": {**settings, "group": 8}}).objective
    assert (found.loss, found.epsilon_high, found.pass_weight, found.group) == ("dapo", 0.3, 4.0, 8)
    assert load_recipe("rl_hacks", changes={"objective": {**settings, "preset": "ariahw2026"}}).objective.beta == 0.001


def test_only_reinforcement_has_an_onset(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "id: s\ntitle: S\nbase: lab\ngrader: lab-grader\n"
        "models: [{name: x, role: organism, recipe: bad_finance, step: onset}]\n"
        "probes: [{task: free_form, questions: lab, epochs: 1}]\n"
    )
    with pytest.raises(SpilloverError, match=r"key step: only reinforcement \(objective grpo\) has an onset"):
        load_study(str(path))


def test_a_prompt_that_does_not_fit_is_said_before_anything_is_sampled(tmp_path):
    recipe = load_recipe("rl_unseeded", changes={"training": {"max_length": 50}})
    with pytest.raises(SpilloverError, match=r"The prompt of rl_lab/\S+ has \d+ tokens; with objective.max_tokens"):
        train(recipe, tmp_path / "out")
