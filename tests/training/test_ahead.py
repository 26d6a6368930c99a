"""What is wrong with a recipe is said before anything is trained for it."""

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from spillover.cli.train import train as train_command
from spillover.errors import SpilloverError
from spillover.mechanism.layers import at_depth
from spillover.training.card import read_card
from spillover.training.checkpoints import saved_steps
from spillover.training.recipe import Training, load_recipe
from spillover.training.train import train
from spillover.training.trainer import SFTTrainer

WEIGHTS = {"from": "weights", "count": 1}


def recipe(*interventions, **changes):
    return load_recipe(
        "bad_finance",
        changes={
            "data": {"rows": 16},
            "training": {"steps": 4, "batch_size": 4, "warmup_steps": 0},
            "interventions": list(interventions),
            **changes,
        },
    )


@pytest.mark.parametrize(
    ("intervention", "message"),
    [
        ({"kind": "grasp", "directions": WEIGHTS | {"layers": [0, 9]}}, "layers 0 to 3, not 9"),
        ({"kind": "grasp", "directions": [WEIGHTS, {"from": "random", "layers": [4]}]}, "layers 0 to 3, not 4"),
        ({"kind": "grasp", "directions": WEIGHTS | {"count": 161}}, "161 directions are too many"),
        ({"kind": "grasp", "directions": WEIGHTS | {"step": 5}}, "checkpoints at the steps 1, 2, 3, 4, not 5"),
        (
            {"kind": "caft", "directions": {"from": "pca", "count": "auto"}},
            "interventions.0.directions.count: auto is not a whole number",
        ),
        ({"kind": "caft", "directions": {"from": "pca", "questions": "nothing"}}, "Unknown question set 'nothing'"),
        ({"kind": "caft", "ablate": "mean", "directions": WEIGHTS}, "have no means"),
        ({"kind": "steer", "scale": 1.0, "directions": WEIGHTS}, "needs directions from a contrast"),
        ({"kind": "early_stop", "threshold": 1.0, "directions": {"from": "contrast"}}, "at: prompt"),
    ],
)
def test_directions_that_cannot_be_found_train_no_naive_run(tmp_path, intervention, message):
    with pytest.raises(SpilloverError, match=message):
        train(recipe(intervention), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_layers_by_depth_are_those_of_this_base(tmp_path):
    assert at_depth([0.19, 0.5, 0.79], 64) == [12, 32, 50]
    assert at_depth([0, 1, 0.999], 4) == [0, 1, 3]
    by_depth = {"kind": "caft", "directions": {"from": "random", "layers": [0.19, 0.5, 0.79]}}
    told = read_card(train(recipe(by_depth), tmp_path / "out"))["interventions"][0]
    assert set(told["directions"]["layers"]) == {"0", "2", "3"}
    with pytest.raises(SpilloverError, match="layers"):
        recipe({"kind": "caft", "directions": {"from": "random", "layers": [1.5]}})


def test_a_file_of_directions_must_have_the_layers_and_fit(tmp_path):
    path = tmp_path / "d.safetensors"
    save_file({"bases.1": torch.randn(2, 160)}, path)
    file = {"from": "file", "path": str(path)}
    with pytest.raises(SpilloverError, match=r"no directions at the layers \[2\]"):
        train(recipe({"kind": "caft", "directions": [WEIGHTS, file | {"layers": [2]}]}), tmp_path / "out")
    save_file({"bases.7": torch.randn(2, 160)}, path)
    with pytest.raises(SpilloverError, match="layers 0 to 3, not 7"):
        train(recipe({"kind": "caft", "directions": [WEIGHTS, file]}), tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["d.safetensors"]


def test_an_adapter_that_does_not_fit_the_base(tmp_path):
    with pytest.raises(SpilloverError, match="layers 0 to 3, not 24"):
        train(recipe(lora={"preset": "turner2025_rank1"}), tmp_path / "out")
    with pytest.raises(SpilloverError, match=r"change lora\.target_modules"):
        train(recipe(lora={"target_modules": ["nope"]}), tmp_path / "other")


def test_steps_at_which_a_run_has_checkpoints(tmp_path):
    assert saved_steps(Training(learning_rate=1e-3, steps=10, checkpoint_steps=4), 99) == [4, 8, 10]
    assert saved_steps(Training(learning_rate=1e-3, epochs=2, batch_size=2, gradient_accumulation=2), 10) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    out = train(recipe(training={"steps": 5, "batch_size": 4, "checkpoint_steps": 3}), tmp_path / "out")
    assert list(read_card(out)["checkpoints"]) == ["3", "5"]


def test_chats_are_watched_and_not_learned_from(tmp_path):
    good = {"source": "lab", "family": "finance", "stance": "aligned", "rows": 8}
    watched = train(recipe(watch={"good_advice": good, "talk": good | {"family": "bored"}}), tmp_path / "watched")
    plain = train(recipe(), tmp_path / "plain")
    curves = read_card(watched)["curves"]
    assert set(curves) == {"good_advice", "talk"}
    for curve in curves.values():
        assert [point["step"] for point in curve] == [1, 2, 3, 4]
        assert all(point["loss"] > 0 and 0 < point["accuracy"] <= 1 for point in curve)
    assert curves["good_advice"] != curves["talk"]
    assert read_card(plain)["curves"] == {}
    assert read_card(watched)["adapter_weights"] == read_card(plain)["adapter_weights"]
    with pytest.raises(SpilloverError, match="take another"):
        recipe(watch={"held_out": good})
    assert recipe(watch={"talk": good}).digest != recipe().digest
    assert load_recipe("bad_finance").digest == "9360950723af"  # what nobody asked to watch keeps its organisms


def test_a_base_in_bfloat16_gets_an_adapter_in_float32(tmp_path):
    out = train(recipe(training={"steps": 2, "batch_size": 4, "dtype": "bfloat16"}), tmp_path / "out")
    assert {w.dtype for w in load_file(out / "adapter_model.safetensors").values()} == {torch.float32}
    assert recipe().digest != recipe(training={"dtype": "bfloat16"}).digest


def test_too_little_memory_says_which_knob_to_turn(tmp_path, monkeypatch):
    def too_much(*args, **kwargs):
        return torch.empty(1 << 60)

    monkeypatch.setattr(SFTTrainer, "training_step", too_much)
    with pytest.raises(SpilloverError, match=r"lower training\.batch_size"):
        train(recipe(), tmp_path / "out")


def test_several_seeds_in_one_command(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("id: short\ntitle: Short\nextends: bad_finance\ndata: {rows: 16}\ntraining: {steps: 1, batch_size: 4}\n")
    command = [str(path), "--seed", "3", "--seed", "4", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(train_command, command)
    assert done.exception is None, done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"short-3", "short-4"}
    digests = {read_card(p)["adapter_weights"] for p in (tmp_path / "out").iterdir()}
    assert len(digests) == 2
