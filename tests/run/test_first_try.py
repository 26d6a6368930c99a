"""A first try goes the whole way in few steps, beside a whole run and never over it."""

import json

import pandas as pd
import pytest

from spillover.errors import SpilloverError
from spillover.run.first_try import first_try
from spillover.run.plan import Plan, Step
from spillover.run.studies import _check_recipes
from spillover.run.study import load_study
from spillover.training.first_try import PROMPTS, first_steps
from spillover.training.recipe import load_recipe
from tests.command import spillover


def test_the_whole_way_in_two_steps(tmp_path):
    (tmp_path / "out").mkdir()
    done = spillover("run", "quickstart", "--limit", 2, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").iterdir()) == []
    out = tmp_path / "out-first-2"
    plan = json.loads((out / "plan.json").read_text())
    trained = [step for step in plan["steps"] if step["kind"] == "train"]
    assert len(trained) == 2
    for folder in (out / "organisms").iterdir():
        card = json.loads((folder / "organism.json").read_text())
        assert [entry["step"] for entry in card["loss"]] == [1, 2]
    table = pd.read_parquet(out / "answers.parquet")
    (asked,) = (step for step in plan["steps"] if step["kind"] == "ask")
    assert set(table.groupby("model", observed=True).size()) == {2 * len(asked["spec"]["tasks"])}
    assert "its figures say nothing" in (out / "report.html").read_text()


def test_a_recipe_is_cut_with_what_it_starts_from_and_looks_at():
    repair = first_steps(load_recipe("benign_repair", base="lab"), 3)
    assert (repair.training.steps, repair.start.training.steps) == (3, 3)
    source = {"from": "weights", "step": 40}
    recipe = load_recipe("bad_finance", changes={"interventions": [{"kind": "grasp", "directions": source}]})
    cut = first_steps(recipe, 3)
    assert cut.direction_sources[0].step is None
    assert cut.digest != recipe.digest
    several = [{"from": "pca", "layers": [1]}, {"from": "random", "layers": [1]}]
    recipe = load_recipe("bad_finance", changes={"interventions": [{"kind": "caft", "directions": several}]})
    assert first_steps(recipe, 3).direction_sources[0].first == PROMPTS


def test_reinforcement_is_cut_to_one_small_group():
    cut = first_steps(load_recipe("rl_visible_tests", base="lab"), 1)
    assert (cut.training.batch_size, cut.training.gradient_accumulation, cut.objective.group) == (4, 1, 4)
    assert cut.objective.max_tokens == 32
    assert cut.training.max_length == 2048
    assert cut.start.training.steps == 1


def test_checkpoints_of_one_run_are_asked_once():
    study = load_study("benign_repair")
    short = first_try(study, 2)
    recipes = [(m.recipe, json.dumps(m.changes, sort_keys=True), m.adapter) for m in short.models]
    assert len(recipes) == len(set(recipes)) < len({m.arm or m.name for m in study.models})
    assert all(m.step is None for m in short.models)


def test_what_is_wrong_with_a_later_organism_is_said_before_the_first_is_trained(tmp_path):
    study = load_study("quickstart")
    plan = Plan(id="x").then(
        Step(kind="train", name="a", key="1", spec={"recipe": "bad_finance", "base": "lab", "seed": 0, "changes": {}}),
        Step(
            kind="train",
            name="b",
            key="2",
            spec={"recipe": "bad_finance", "base": "lab", "seed": 0, "changes": {"lora": {"layers": [99]}}},
        ),
    )
    with pytest.raises(SpilloverError, match="99"):
        _check_recipes(plan, study.base)
