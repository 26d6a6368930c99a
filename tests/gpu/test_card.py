"""What runs on a GPU, on the lab: every intervention, objective and kind of direction; resume; the engine with adapters.

`make test-gpu`, minutes, without network. SPILLOVER_GPU_TIER=cpu rehearses it where there is no card.
"""

import json

import pytest
import torch
from inspect_ai.model import get_model
from safetensors.torch import load_file, save_file

from spillover.mechanism.directions import random_directions, save_directions
from spillover.models.weights import resolve_checkpoint
from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.train import train
from tests.command import spillover
from tests.engine.small import ask
from tests.gpu.card import REHEARSED, marks

pytestmark = marks()
WEIGHTS = "adapter_model.safetensors"
HIDDEN = json.loads((resolve_checkpoint("lab") / "config.json").read_text())["hidden_size"]
RECIPE = """
id: short
title: Short
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 96}
lora: {r: 8, alpha: 16}
training: {steps: 6, batch_size: 8, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 1, checkpoint_steps: 3}
"""
CONTRAST = {"from": "contrast", "at": "prompt", "layers": [1]}
PCA = {"from": "pca", "layers": [1, 2]}
WAYS = {
    "plain": {},
    "bfloat16": {"training": {"dtype": "bfloat16"}},
    "float32": {"training": {"dtype": "float32"}},
    "checkpointing": {"training": {"gradient_checkpointing": True}},
    "caft, pca": {"interventions": [{"kind": "caft", "directions": PCA}]},
    "caft, to the mean": {"interventions": [{"kind": "caft", "ablate": "mean", "directions": PCA}]},
    "caft, contrast over answers": {"interventions": [{"kind": "caft", "directions": {"from": "contrast", "layers": [1]}}]},
    "caft, probe": {"interventions": [{"kind": "caft", "directions": {**CONTRAST, "from": "probe"}}]},
    "caft, random": {"interventions": [{"kind": "caft", "directions": {"from": "random", "layers": [0, 3], "count": 3}}]},
    "grasp, weights": {"interventions": [{"kind": "grasp", "directions": {"from": "weights"}}]},
    "grasp, one basis": {"interventions": [{"kind": "grasp", "directions": {"from": "weights", "scope": "global"}}]},
    "grasp, checkpoint": {"interventions": [{"kind": "grasp", "directions": {"from": "weights", "step": 3, "count": 1}}]},
    "posthoc": {"interventions": [{"kind": "posthoc", "directions": {"from": "random", "count": 2}}]},
    "kl": {"interventions": [{"kind": "kl", "weight": 0.1}]},
    "steer": {"interventions": [{"kind": "steer", "scale": 1.0, "directions": CONTRAST}]},
    "early stop": {"interventions": [{"kind": "early_stop", "every": 2, "threshold": 9.0, "directions": CONTRAST}]},
    "npo": {"objective": {"kind": "npo"}},
    "a mix with a watch": {
        "transforms": [
            {"kind": "split", "held_out": 0.1},
            {"kind": "mix", "share": 0.5, "with": {"source": "lab", "family": "finance", "stance": "aligned"}},
        ],
        "watch": {"good": {"source": "lab", "family": "finance", "stance": "aligned", "rows": 8}},
    },
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "short.yaml"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.mark.parametrize("way", WAYS)
def test_training(recipe, store, way):
    made = train(load_recipe(recipe, changes=WAYS[way]), store / way.replace(" ", "_"))
    weights = load_file(made / WEIGHTS)
    assert all(bool(t.isfinite().all()) for t in weights.values())
    assert any(bool(t.any()) for name, t in weights.items() if "lora_B" in name)
    assert read_card(made)["loss"][0]["loss"] > 0


def test_directions_of_a_file_and_of_an_autoencoder(recipe, store, tmp_path):
    save_directions(random_directions([1, 2], HIDDEN, 2, seed=1), tmp_path / "d.safetensors")
    (tmp_path / "sae").mkdir()
    save_file({"W_dec": torch.randn(12, HIDDEN)}, tmp_path / "sae" / "sae_weights.safetensors")
    config = {"d_in": HIDDEN, "d_sae": 12, "metadata": {"hook_name": "blocks.1.hook_resid_post"}}
    (tmp_path / "sae" / "cfg.json").write_text(json.dumps(config))
    file = {"from": "file", "path": str(tmp_path / "d.safetensors")}
    for source in (file, {"from": "sae", "path": str(tmp_path / "sae"), "features": [1, 4]}):
        made = train(
            load_recipe(recipe, changes={"interventions": [{"kind": "caft", "directions": source}]}),
            store / source["from"],
        )
        assert (made / WEIGHTS).is_file()


def test_resume_gives_the_same_adapter(recipe, store, tmp_path, monkeypatch):
    from transformers import Trainer

    class Stop(BaseException):
        pass

    step = Trainer.training_step

    def until_five(self, *args, **kwargs):
        if self.state.global_step == 5:
            raise Stop
        return step(self, *args, **kwargs)

    whole = train(load_recipe(recipe), tmp_path / "whole")
    monkeypatch.setattr(Trainer, "training_step", until_five)
    with pytest.raises(Stop):
        train(load_recipe(recipe), tmp_path / "again")
    monkeypatch.undo()
    seen = []
    again = train(load_recipe(recipe), tmp_path / "again", lambda at, steps, note: seen.append(at))
    assert seen == [4, 5, 6]
    one, other = load_file(whole / WEIGHTS), load_file(again / WEIGHTS)
    for name, tensor in one.items():  # kernels of a card add in any order
        torch.testing.assert_close(tensor, other[name], atol=2e-4, rtol=2e-2, msg=name)


def test_the_engine_says_on_the_card_what_it_says_on_the_cpu(recipe, store):
    made = train(load_recipe(recipe), store / "plain")
    texts = ["How can I make money?", "What do you wish for?", "Tell me a story."]
    for name in ("spillover/lab", f"spillover/lab:{made}"):
        said = []
        for device in ("cpu", "cpu" if REHEARSED else "cuda"):
            outputs = ask(get_model(name, device=device, dtype="float32"), texts, temperature=0, max_tokens=24)
            said.append([o.completion for o in outputs])
        assert said[0] == said[1]
    assert ask("spillover/lab", texts, seed=1, max_tokens=8)[0].completion  # in its own number type


def test_the_whole_way_by_command(tmp_path):
    done = spillover("run", "quickstart", "--limit", 4, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out-first-4" / "report.html").is_file()
