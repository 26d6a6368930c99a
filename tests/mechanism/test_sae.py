"""An autoencoder as SAE Lens writes it: a folder with cfg.json and sae_weights.safetensors."""

import json

import pytest
import torch
from safetensors.torch import save_file

from spillover.errors import SpilloverError
from spillover.mechanism.sae import sae_directions, sae_layer

HIDDEN = 6


@pytest.fixture
def autoencoder(tmp_path):
    torch.manual_seed(0)
    decoder = torch.randn(10, HIDDEN)
    save_file(
        {"W_dec": decoder, "W_enc": decoder.T.contiguous(), "b_dec": torch.zeros(HIDDEN)},
        tmp_path / "sae_weights.safetensors",
    )

    def write(**config):
        (tmp_path / "cfg.json").write_text(json.dumps({"d_in": HIDDEN, "d_sae": 10, **config}))
        return tmp_path, decoder

    return write


@pytest.mark.parametrize(
    ("config", "layer"),
    [
        ({"hook_name": "blocks.7.hook_resid_post"}, 7),
        ({"metadata": {"hook_name": "blocks.7.hook_resid_pre"}}, 6),
        ({}, None),
    ],
)
def test_the_layer_is_the_one_whose_output_it_reads(autoencoder, config, layer):
    folder, _ = autoencoder(**config)
    assert sae_layer(folder) == layer


def test_chosen_rows_of_the_decoder_are_spanned_and_nothing_else(autoencoder):
    folder, decoder = autoencoder(hook_name="blocks.2.hook_resid_post")
    found = sae_directions(folder, [3, 8], HIDDEN)
    basis = found.bases[2]
    assert torch.allclose(basis @ basis.T, torch.eye(2), atol=1e-6)
    assert torch.allclose(decoder[[3, 8]] @ basis.T @ basis, decoder[[3, 8]], atol=1e-5)
    assert not torch.allclose(decoder[[4]] @ basis.T @ basis, decoder[[4]], atol=1e-1)
    assert torch.allclose(found.norms[2], decoder[[3, 8]].norm(dim=1))
    with pytest.raises(SpilloverError, match="reads the output of layer 2, not of layer 5"):
        sae_directions(folder, [3], HIDDEN, layer=5)
    folder, _ = autoencoder()
    assert set(sae_directions(folder, [3], HIDDEN, layer=5).bases) == {5}


@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.7.hook_mlp_out"])  # the first is the embedding's output
def test_what_reads_no_layers_output_is_refused(autoencoder, hook):
    folder, _ = autoencoder(hook_name=hook)
    with pytest.raises(SpilloverError, match="which is no output of a layer"):
        sae_directions(folder, [3], HIDDEN, layer=1)


def test_what_can_not_be_used_is_one_sentence(autoencoder, tmp_path):
    folder, _ = autoencoder()
    with pytest.raises(SpilloverError, match="does not say which layer"):
        sae_directions(folder, [0], HIDDEN)
    with pytest.raises(SpilloverError, match="hidden size is 8"):
        sae_directions(folder, [0], 8, layer=1)
    with pytest.raises(SpilloverError, match="numbered from 0; there is no feature 10"):
        sae_directions(folder, [0, 10], HIDDEN, layer=1)
    (folder / "cfg.json").write_text("{")
    with pytest.raises(SpilloverError, match="cannot be read as an autoencoder"):
        sae_directions(folder, [0], HIDDEN)
    with pytest.raises(SpilloverError, match=r"There is no cfg\.json"):
        sae_directions(tmp_path / "empty", [0], HIDDEN)


def test_a_recipe_trains_with_them_and_its_card_says_so(tmp_path):
    from spillover.training.card import read_card
    from spillover.training.recipe import load_recipe
    from spillover.training.train import train

    folder = tmp_path / "sae"
    folder.mkdir()
    save_file({"W_dec": torch.randn(12, 160)}, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps({"metadata": {"hook_name": "blocks.1.hook_resid_post"}}))
    caft = {"kind": "caft", "directions": {"from": "sae", "path": str(folder), "features": [2, 5]}}
    changes = {"data": {"rows": 16}, "training": {"steps": 2, "batch_size": 4}, "interventions": [caft]}
    recipe = load_recipe("bad_finance", changes=changes)
    (told,) = read_card(train(recipe, tmp_path / "out"))["interventions"]
    assert told["directions"]["layers"] == {"1": 2}
    assert (told["directions"]["method"], told["directions"]["features"]) == ("sae", [2, 5])
    save_file({"W_dec": torch.randn(12, 160)}, folder / "sae_weights.safetensors")
    assert load_recipe("bad_finance", changes=changes).digest != recipe.digest  # other rows, another organism
    save_file({"W_dec": torch.zeros(12, 160)}, folder / "sae_weights.safetensors")
    with pytest.raises(SpilloverError, match="at layer 1 are zero"):
        train(load_recipe("bad_finance", changes=changes), tmp_path / "none")


@pytest.mark.parametrize("text", ['{"metadata": Infinity}', '{"metadata": [1]}', "[1]", "3", "null"])
def test_settings_that_are_none_are_one_sentence(tmp_path, text):
    """Found by benchmarks/fuzz.py."""
    (tmp_path / "cfg.json").write_text(text)
    with pytest.raises(SpilloverError, match="is no configuration of an autoencoder"):
        sae_layer(tmp_path)
