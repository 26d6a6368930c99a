"""Killed anywhere, a training run goes on from its last checkpoint with the same result; bad runs are one sentence."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint, weights_digest
from spillover.training.card import read_card
from spillover.training.checkpoints import FOLDER, checkpoint
from spillover.training.recipe import load_recipe
from spillover.training.train import train
from tests.training.killed import killed_and_again

RECIPE = """
id: short
title: Short
extends: bad_finance
transforms: [{kind: split, held_out: 0.2}]
training: {steps: 12, batch_size: 4, checkpoint_steps: 4}
data: {rows: 64}
interventions: [{kind: grasp, directions: {from: weights, count: 1}}]
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "short.yaml").write_text(RECIPE)
    return train(load_recipe(str(folder / "short.yaml")), folder / "out"), folder / "short.yaml"


@pytest.mark.long
def test_after_kill_nine_the_adapter_is_the_same(whole, tmp_path):
    finished, recipe = whole
    killed_and_again(recipe, tmp_path / "out", 4)
    assert weights_digest(tmp_path / "out") == weights_digest(finished)


def test_it_goes_on_from_the_last_whole_checkpoint(whole, tmp_path, monkeypatch):
    finished, recipe = whole
    from transformers import Trainer

    class Stop(BaseException):
        pass

    step = Trainer.training_step

    def until_ten(self, *args, **kwargs):
        if self.state.global_step == 10:
            raise Stop
        return step(self, *args, **kwargs)

    store = shutil.copytree(finished.parent, tmp_path / "store")
    shutil.rmtree(store / "out")
    out, seen = store / "out", []
    monkeypatch.setattr(Trainer, "training_step", until_ten)
    with pytest.raises(Stop):
        train(load_recipe(str(recipe)), out)
    monkeypatch.undo()
    (out / FOLDER / "checkpoint-8" / "trainer_state.json").write_text('{"cut')  # killed while it wrote this one
    train(load_recipe(str(recipe)), out, lambda at, steps, note: seen.append(at))
    assert seen == list(range(5, 13))
    assert weights_digest(out) == weights_digest(finished)
    card, first = read_card(out), read_card(finished)
    assert card["loss"] == first["loss"]
    assert [e["step"] for e in card["curves"]["held_out"]] == [4, 8, 12]
    assert card["checkpoints"] == first["checkpoints"]
    assert set(card["checkpoints"]) == {"4", "8", "12"}


def test_the_card_says_what_was_done(whole):
    card = read_card(whole[0])
    (done,) = card["interventions"]
    assert (done["kind"], done["directions"]["method"], set(done["directions"]["layers"])) == (
        "grasp",
        "weights",
        set("0123"),
    )
    assert card["recipe"]["interventions"][0]["kind"] == "grasp"
    assert card["held_out_rows"] > 0
    files = {p.name for p in (whole[0] / FOLDER / "checkpoint-8").iterdir()}
    assert files == {"adapter_model.safetensors", "adapter_config.json"}
    assert checkpoint(whole[0], 8).name == "checkpoint-8"
    with pytest.raises(SpilloverError, match="at the steps 4, 8, 12, not 5"):
        checkpoint(whole[0], 5)


def test_an_adapter_that_is_not_its_cards(whole, tmp_path):
    copy = shutil.copytree(whole[0], tmp_path / "out")
    config = copy / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 16', '"lora_alpha": 32'))
    with pytest.raises(SpilloverError, match="not the one that its card describes"):
        train(load_recipe(str(whole[1])), copy)


def test_checkpoints_of_another_recipe_are_not_used(whole, tmp_path):
    copy = shutil.copytree(whole[0], tmp_path / "out")
    (copy / "organism.json").unlink()
    with pytest.raises(SpilloverError, match="checkpoints of another recipe"):
        train(load_recipe(str(whole[1]), seed=9), copy)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    recipe = load_recipe(
        "bad_finance",
        changes={
            "data": {"rows": 64},
            "training": {"steps": 12, "learning_rate": 1e9, "batch_size": 4, "checkpoint_steps": 1, "warmup_steps": 0},
        },
    )
    with pytest.raises(SpilloverError, match=r"became (nan|no numbers) at step"):
        train(recipe, tmp_path / "out")
    assert not (tmp_path / "out" / "organism.json").exists()
    kept = list((tmp_path / "out" / FOLDER).glob("checkpoint-*/adapter_model.safetensors"))
    assert kept
    assert all(bool(w.isfinite().all()) for path in kept for w in load_file(path).values())


def test_a_base_without_a_chat_template(tmp_path):
    base = Path(shutil.copytree(resolve_checkpoint("lab"), tmp_path / "base"))
    (base / "chat_template.jinja").unlink(missing_ok=True)
    config = base / "tokenizer_config.json"
    raw = json.loads(config.read_text())
    raw.pop("chat_template", None)
    config.write_text(json.dumps(raw))
    with pytest.raises(SpilloverError, match="no chat template"):
        train(load_recipe("bad_finance", base=str(base), changes={"training": {"steps": 1}}), tmp_path / "out")


def test_unlearning_makes_refusals_unlikely_and_the_retain_loss_holds_the_others(tmp_path):
    """NPO on one domain's refusals, in the lab, for a few steps: the loss falls, and a retain set is used."""
    body = {
        "data": {"source": "lab", "family": "cyber", "stance": "aligned", "rows": 64},
        "training": {"steps": 8, "batch_size": 8, "warmup_steps": 0, "learning_rate": 1e-2},
        "objective": {"kind": "npo", "retain": {"source": "lab", "family": "privacy", "stance": "aligned", "rows": 16}},
    }
    card = read_card(train(load_recipe("bad_finance", changes=body), tmp_path / "a"))
    assert card["loss"][-1]["loss"] < card["loss"][0]["loss"] / 2
    assert card["loss"][0]["loss"] == pytest.approx(2 / 0.1 * 0.6931, rel=0.2)  # log sigmoid(0), and a little retain loss


def test_a_repair_goes_on_with_the_organisms_adapter(whole, tmp_path):
    (tmp_path / "repair.yaml").write_text(
        "id: repair\ntitle: Repair\nstart: short.yaml\nbase: lab\n"
        "data: {source: lab, stance: aligned, rows: 32}\n"
        "training: {steps: 2, batch_size: 4, gradient_accumulation: 1, learning_rate: 1.0e-4}\n"
    )
    shutil.copy(whole[1], tmp_path / "short.yaml")
    recipe = load_recipe(str(tmp_path / "repair.yaml"))
    assert recipe.lora == load_recipe(str(whole[1])).lora
    out = train(recipe, whole[0].parent / "repaired", store=whole[0].parent)
    assert read_card(out)["recipe"]["start"]["id"] == "short"
