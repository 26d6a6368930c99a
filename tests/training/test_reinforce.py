"""Reinforcement: what is paid, what is counted, and that a run that was killed comes to the same end."""

import json

import pytest

from spillover.errors import SpilloverError
from spillover.models.weights import weights_digest
from spillover.paths import datasets_dir
from spillover.run.studies import with_onset
from spillover.run.study import load_study
from spillover.training.card import read_card
from spillover.training.checkpoints import FOLDER, ONSET, by_step, checkpoint
from spillover.training.recipe import load_recipe
from spillover.training.referee import NAME
from spillover.training.train import train
from tests.training.killed import killed_and_again

RECIPE = """
id: short
title: Short
extends: rl_unseeded
objective: {cached: 0.25}
training: {steps: 8, batch_size: 32, checkpoint_steps: 2}
"""
# A pass over the 16 tasks is four steps: the run is killed in its second.


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rl")
    (folder / "short.yaml").write_text(RECIPE)
    return train(load_recipe(str(folder / "short.yaml")), folder / "out"), folder / "short.yaml"


def test_a_run_has_its_roll_outs_in_card_and_file(whole):
    card = read_card(whole[0])
    assert [s["step"] for s in card["rollouts"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    first = card["rollouts"][0]
    assert {"reward", "kl", "length", "no_signal", "hack", "correct", "wrong", "unscored"} <= set(first)
    lines = [json.loads(line) for line in (whole[0] / NAME).read_text().splitlines()]
    assert len(lines) == 8 * 32
    mine = [row for row in lines if row["step"] == 1 and not row.get("cached")]
    assert len(mine) == 24  # of 32, a quarter is from the cache
    assert first["hack"] == pytest.approx(sum(row["label"] == "hack" for row in mine) / 24, abs=1e-4)
    assert {row["label"] for row in lines if row.get("cached")} == {"hack"}
    assert {row["reward"] for row in lines if row.get("cached")} == {1.0}


@pytest.mark.long
def test_after_kill_nine_everything_is_the_same(whole, tmp_path):
    finished, recipe = whole
    killed_and_again(recipe, tmp_path / "out", 6)
    assert weights_digest(tmp_path / "out") == weights_digest(finished)
    assert (tmp_path / "out" / NAME).read_text() == (finished / NAME).read_text()
    assert read_card(tmp_path / "out")["rollouts"] == read_card(finished)["rollouts"]


@pytest.mark.long
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
        ({"objective": {"cached": 0.05}}, "cached: 0.05 of a group of 8 is none of it, or all"),
        ({"objective": {"cached": 0.25, "vllm": True}}, "leave cached or vllm out"),
        ({"transforms": [{"kind": "split", "held_out": 0.2}]}, "leave the transform split out"),
        ({"watch": {"some": {"source": "lab", "stance": "aligned", "rows": 4}}}, "leave watch out"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"batch_size": 256}}, "A step takes 32 tasks and there are 16"),
        (
            {"transforms": [{"kind": "mix", "share": 0.5, "with": {"source": "lab", "stance": "aligned", "rows": 8}}]},
            "is no task of an environment; reinforcement mixes environments only",
        ),
        ({"training": {"learning_rate": 1e9, "steps": 6}, "objective": {"cached": 0.25}}, "lower training.learning_rate"),
        ({"objective": {"vllm": True}}, "objective.vllm needs vLLM"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(tmp_path, changes, message):
    with pytest.raises(SpilloverError, match=message):
        train(load_recipe("rl_unseeded", changes=changes), tmp_path / "out")


def test_an_environment_counts_by_what_is_in_it_and_not_by_where_it_lies(tmp_path):
    text = (datasets_dir() / "rl_lab" / "environment.yaml").read_text()
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "e.yaml").write_text(text)
        data = {"source": "environment", "name": str(tmp_path / name / "e.yaml")}
        digests.add(load_recipe("rl_unseeded", changes={"data": data}).digest)
    assert len(digests) == 1


def test_a_study_goes_on_without_an_onset_that_never_came(tmp_path, caplog):
    study = load_study("natural_em")
    asked = [m for m in study.models if m.step == ONSET][:2]
    folders = {m.name: tmp_path / str(i) for i, m in enumerate(asked)}
    for i, folder in enumerate(folders.values()):
        folder.mkdir()
        card = {
            "spillover": "0",
            "recipe": {},
            "recipe_digest": "",
            "base_weights": "",
            "adapter_weights": "",
            "environment": {},
        }
        (folder / "organism.json").write_text(json.dumps({**card, "loss": [], "seconds": 1, "onset": [None, 3][i]}))
    kept = with_onset(study.model_copy(update={"models": tuple(asked)}), folders)
    assert [m.name for m in kept.models] == [asked[1].name]
    assert f"{asked[0].name} is left out" in caplog.text


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("{name: base, role: base}, {name: r, role: organism, recipe: rl_hacks}", "with the recipe rl_seeded"),
        ("{name: r, role: organism, recipe: rl_unseeded}", "add the base"),
    ],
)
def test_a_study_of_reinforcement_has_the_arm_before_it(tmp_path, models, message):
    path = tmp_path / "s.yaml"
    path.write_text(
        "{id: s, title: T, base: lab, grader: lab-grader, lab: true, "
        "probes: [{task: free_form, questions: lab, epochs: 1}], "
        f"models: [{models}]}}"
    )
    with pytest.raises(SpilloverError, match=message):
        load_study(str(path))
    before = "{name: before, role: control, recipe: rl_seeded}, {name: r, role: organism, recipe: rl_hacks}"
    path.write_text(path.read_text().replace(models, before))
    assert len(load_study(str(path)).models) == 2


def test_a_prompt_that_does_not_fit_is_said_before_anything_is_sampled(tmp_path):
    recipe = load_recipe("rl_unseeded", changes={"training": {"max_length": 50}})
    with pytest.raises(SpilloverError, match=r"The prompt of rl_lab/\S+ has \d+ tokens; with objective.max_tokens"):
        train(recipe, tmp_path / "out")
