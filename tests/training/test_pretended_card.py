"""Whole trainings on a pretended card: TRL's loops with ours around them, every intervention, objective and direction.

The same as without a card, number for number, and no tensor of one device meets one of the other.
"""

import pytest

from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.train import train
from tests.gpu.test_card import RECIPE, WAYS
from tests.marks import long
from tests.mechanism.card import training_on_card

SHORT = {"training": {"steps": 4, "batch_size": 4, "checkpoint_steps": 3}}
ROLL_OUTS = {"objective": {"cached": 0.25}, "training": {"steps": 2, "batch_size": 8, "checkpoint_steps": 1}}
FEW = ("grasp, weights", "early stop", "npo")


def both(recipe, changes, folder):
    """The cards of one training without a card and on it."""
    here = train(load_recipe(recipe, changes=changes), folder / "here")
    with training_on_card() as steps:
        there = train(load_recipe(recipe, changes=changes), folder / "there")
    assert steps
    assert all(steps)
    return read_card(here), read_card(there)


@pytest.mark.parametrize("way", [way if way in FEW else long(way) for way in WAYS if way != "bfloat16"])
def test_a_training(way, tmp_path):
    (tmp_path / "short.yaml").write_text(RECIPE)
    changes = {**WAYS[way], "training": {**SHORT["training"], **WAYS[way].get("training", {})}}
    here, there = both(str(tmp_path / "short.yaml"), changes, tmp_path)
    assert here["loss"] == there["loss"]
    assert len(here["loss"]) == 4 or way == "early stop"
    assert here["adapter_weights"] == there["adapter_weights"]


@pytest.mark.parametrize("more", [{}, long({"objective": {"cached": 0, "beta": 0.1}})])
def test_reinforcement(more, tmp_path):
    changes = {**ROLL_OUTS, "interventions": [{"kind": "kl", "weight": 0.1}], **more}
    here, there = both("rl_unseeded", changes, tmp_path)
    assert [step["kl"] for step in here["rollouts"] if "kl" in step] == [0]
    for key in ("rollouts", "loss", "adapter_weights"):
        assert here[key] == there[key]
