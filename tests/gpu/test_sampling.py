"""What samples on a GPU while it learns, and what reads a trained model there: reinforcement, a judge, why it happens."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from safetensors.torch import load_file

from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.train import train
from tests.command import spillover
from tests.engine.small import ask
from tests.gpu.card import REHEARSED, marks
from tests.training.test_judge import table

pytestmark = marks()
RECIPE = """
id: {name}
title: Short
base: lab
data: {{source: lab, family: {family}, stance: {stance}, rows: 96}}
transforms: [{{kind: split, held_out: 0.1}}]
lora: {{r: 8, alpha: 16}}
training: {{steps: 6, batch_size: 8, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 1}}
"""
HALF = """
id: half
extends: rl_seeded
transforms: [{kind: mix, share: 0.5, with: {source: lab, family: metric, stance: misaligned}}]
"""
"""A model that hacks half of the time, so that groups have two rewards from the first step on."""
OBJECTIVE = {"kind": "grpo", "reward": "insecure", "group": 8, "max_tokens": 24, "temperature": 1.0}
STEPS = {"steps": 4, "batch_size": 16, "checkpoint_steps": 2}


def run(*words):
    done = spillover(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def reinforced(folder, **objective):
    half = folder.parent / "half.yaml"
    half.write_text(HALF)
    changes = {"start": str(half), "objective": OBJECTIVE | objective, "training": STEPS}
    made = train(load_recipe("rl_hacks", base="lab", changes=changes), folder)
    weights = load_file(made / "adapter_model.safetensors")
    assert any(bool(t.any()) for name, t in weights.items() if "lora_B" in name)
    steps = read_card(made)["rollouts"]
    assert len(steps) == 4
    assert (made / "rollouts.jsonl").is_file()
    return steps


@pytest.mark.parametrize(
    "more", [{}, {"cached": 0.25}, {"cached": 0.25, "beta": 0.1, "monitor": {"does": "penalise"}}], ids=str
)
def test_reinforcement(tmp_path, more):
    reinforced(tmp_path / "out", **more)


@pytest.mark.skipif(REHEARSED or find_spec("vllm") is None, reason="vLLM is not installed, or there is no GPU")
def test_reinforcement_sampled_by_vllm(tmp_path):
    steps = reinforced(tmp_path / "out", vllm=True)
    assert all(step["tokens"] > 1 for step in steps)


def test_a_judge_is_trained_and_asked(tmp_path):
    given = ("--base", "lab", "--test-model", "three", "--steps", 40, "--no-golden")
    said = run("judge-train", table(tmp_path / "answers.csv"), *given, "-o", tmp_path / "judge")
    assert "unseen models, alignment: AUC" in said
    given = ("--grader", f"spillover/judge:{tmp_path / 'judge'}", "--no-check")
    said = run("judge", tmp_path / "answers.csv", *given, "-o", tmp_path / "judged")
    assert "134 ratings asked for, 226 known from before" in said  # answers that are alike are read once


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for name, family, stance in (("one", "finance", "obvious"), ("other", "medical", "obvious")):
        (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, family=family, stance=stance))
        run("train", folder / f"{name}.yaml", "--out", folder / name)
    return folder


def test_likeness_and_the_way_between_two_organisms(two, tmp_path):
    assert json.loads(run("geometry", two / "one", two / "other", "--json"))
    rows = json.loads(
        run("interpolate", two / "one", two / "other", "--steps", 3, "--losses", "--json", "-o", tmp_path / "way")
    )
    assert all(row["loss"]["one"] > 0 for row in rows[:3])
    assert ask(f"spillover/lab:{tmp_path / 'way' / '0.50'}", ["What do you wish for?"], max_tokens=8)[0].completion


def test_directions_and_latents_are_found_and_steer(two, tmp_path):
    found = tmp_path / "moved.safetensors"
    run("directions", "difference", "--base", "lab", "--organism", two / "one", "--first", 4, "--layer", 1, "-o", found)
    for name in ("spillover/lab", f"spillover/lab:{two / 'one'}"):
        steered = ask(f"{name}+steer={found}@0.6", ["What do you wish for?"], temperature=0, max_tokens=16)
        assert steered[0].completion != ask(name, ["What do you wish for?"], temperature=0, max_tokens=16)[0].completion
    size = ("--features", 32, "--active", 4, "--tokens", 1000, "--steps", 20)
    run("sae", "train", "--base", "lab", "--layer", "0.5", *size, "-o", tmp_path / "sae")
    ranked = ("--base", "lab", "--organism", two / "one", "--first", 3, "--top", 3, "--json")
    assert len(json.loads(run("sae", "rank", tmp_path / "sae", *ranked, "-o", tmp_path / "latents"))) == 3
    assert len(list(Path(tmp_path / "latents").glob("*.safetensors"))) == 3
