"""`spillover sae`, as a user calls it, on the lab's base and an organism of a few steps."""

import json

import pytest
from click.testing import CliRunner

from spillover.cli.sae import sae
from spillover.errors import SpilloverError
from spillover.mechanism.autoencoder import load_autoencoder
from spillover.mechanism.directions import load_directions
from spillover.mechanism.steering import split_name, steering_on
from spillover.models.weights import resolve_checkpoint
from spillover.training.recipe import load_recipe
from spillover.training.train import train


def call(*arguments):
    return CliRunner().invoke(sae, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("sae") / "sae"
    done = call("train", "--features", 64, "--active", 4, "--tokens", 2000, "--steps", 30, "-o", out)
    assert done.exit_code == 0, done.output
    return out, json.loads(done.stdout)


@pytest.fixture(scope="module")
def organism(tmp_path_factory):
    changes = {"data": {"rows": 64}, "training": {"steps": 4}}
    return train(load_recipe("bad_finance", changes=changes), tmp_path_factory.mktemp("organism") / "bad")


def test_it_is_trained_half_way_up_and_says_on_what(trained):
    folder, told = trained
    assert (told["layer"], told["features"], told["active"], told["tokens"]) == (2, 64, 4, 2000)
    made = load_autoencoder(folder, 160)
    assert made.told["texts"]["source"] == "lab_documents"
    assert made.told["base"]
    assert 0 < made.told["unexplained"] < 1


def test_latents_are_ranked_and_each_steers_a_model(trained, organism, tmp_path):
    out = tmp_path / "latents"
    done = call("rank", trained[0], "--organism", organism, "--first", 6, "--top", 3, "-o", out)
    assert done.exit_code == 0, done.output
    found = json.loads((out / "latents.json").read_text())["latents"]
    assert len(found) == 3
    shifts = [x["organisms"][0] - x["base"] for x in found]
    assert shifts == sorted(shifts, reverse=True)
    assert all(str(x["number"]) in done.output for x in found)
    made, first = load_autoencoder(trained[0]), load_directions(out / "01.safetensors", 160)
    row = made.decoder[found[0]["number"]]
    assert (first.bases[2][0] @ row) == pytest.approx(float(row.norm()), abs=1e-4)  # towards it, not away
    _, changes = split_name(f"spillover/lab+steer={out / '01.safetensors'}@0.4")
    assert steering_on(resolve_checkpoint("lab"), changes).digest
    with pytest.raises(SpilloverError, match="is there already"):
        call("rank", trained[0], "--organism", organism, "-o", out)


def test_texts_of_ones_own_are_read(tmp_path):
    chats = [{"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "word " * 40}]}] * 20
    (tmp_path / "chats.jsonl").write_text("\n".join(map(json.dumps, chats)))
    options = ("--features", 16, "--steps", 2, "--layer", 1, "-o", tmp_path / "out")
    done = call("train", "--texts", tmp_path / "chats.jsonl", *options)
    assert json.loads(done.stdout)["layer"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layer", 4), "layers 0 to 3, not 4"),
        (("--features", 4000), "too few for 4000 latents"),
        (("--features", 64, "--active", 65), "Of 64 latents 65 can not be active"),
        (("--texts", "nowhere.jsonl"), "there is no file at"),
    ],
)
def test_what_can_not_be_trained_is_one_sentence(tmp_path, arguments, message):
    with pytest.raises(SpilloverError, match=message):
        call("train", "--steps", 2, "--tokens", 2000, *arguments, "-o", tmp_path / "x")


def test_an_autoencoder_of_another_model_is_refused(trained, organism, tmp_path):
    made = load_autoencoder(trained[0])
    type(made)(made.encoder[:8], made.encoder_bias, made.decoder[:, :8], made.decoder_bias[:8], layer=2, active=4).save(
        tmp_path / "narrow"
    )
    with pytest.raises(SpilloverError, match="of width 8; the model's hidden size is 160"):
        call("rank", tmp_path / "narrow", "--organism", organism, "--first", 2, "-o", tmp_path / "out")
    type(made)(made.encoder, made.encoder_bias, made.decoder, made.decoder_bias, layer=9, active=4).save(tmp_path / "high")
    with pytest.raises(SpilloverError, match="reads layer 9; the model has layers 0 to 3"):
        call("rank", tmp_path / "high", "--organism", organism, "--first", 2, "-o", tmp_path / "out")
