"""Autoencoders: encoded by hand, written as SAE Lens writes them, fitted to a dictionary that is known."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from spillover.errors import SpilloverError
from spillover.mechanism.autoencoder import Autoencoder, load_autoencoder
from spillover.mechanism.dictionary import fit_autoencoder
from spillover.mechanism.latents import Activity, activity, ranked
from tests.mechanism.tiny import tiny_model, tiny_tokenizer

HIDDEN, FEATURES = 6, 9


def made(**changes):
    torch.manual_seed(0)
    given = {
        "encoder": torch.randn(HIDDEN, FEATURES),
        "encoder_bias": torch.randn(FEATURES),
        "decoder": torch.randn(FEATURES, HIDDEN),
        "decoder_bias": torch.randn(HIDDEN),
        "layer": 1,
        "active": 2,
    }
    return Autoencoder(**{**given, **changes})


def test_the_largest_latents_are_kept_and_none_is_negative():
    sae, x = made(), torch.randn(50, HIDDEN)
    found = sae.encode(x)
    for state, row in zip(x, found, strict=True):
        before = [
            sum((state[h] - sae.decoder_bias[h]) * sae.encoder[h, f] for h in range(HIDDEN)) + sae.encoder_bias[f]
            for f in range(FEATURES)
        ]
        kept = sorted(range(FEATURES), key=lambda f: -before[f])[:2]
        assert row.tolist() == pytest.approx(
            [max(0.0, float(before[f])) if f in kept else 0.0 for f in range(FEATURES)], abs=1e-5
        )
    assert torch.allclose(sae.decode(found), found @ sae.decoder + sae.decoder_bias)
    assert (found > 0).sum(1).max() == 2


def test_other_kinds_differ_as_they_should():
    x = torch.randn(50, HIDDEN)
    before = (x - made().decoder_bias) @ made().encoder + made().encoder_bias
    assert torch.allclose(made(architecture="standard").encode(x), before.relu())
    threshold = torch.full((FEATURES,), 0.7)
    jump = made(architecture="jumprelu", threshold=threshold).encode(x)
    assert torch.allclose(jump, before * (before > 0.7))
    off = made(architecture="standard", centred=False).encode(x)
    assert torch.allclose(off, (x @ made().encoder + made().encoder_bias).relu())
    scaled = made(rescaled=True)
    by_length = before * scaled.decoder.norm(dim=1)
    assert torch.allclose(scaled.encode(x).amax(1), by_length.amax(1).relu())


@pytest.mark.parametrize(
    "changes", [{}, {"architecture": "standard"}, {"rescaled": True}, {"centred": False, "architecture": "standard"}]
)
def test_what_is_written_is_read_again(tmp_path, changes):
    sae, x = made(told={"tokens": 5}, **changes), torch.randn(20, HIDDEN)
    sae.save(tmp_path)
    again = load_autoencoder(tmp_path, HIDDEN)
    assert torch.equal(again.encode(x), sae.encode(x))
    assert torch.equal(again.decode(again.encode(x)), sae.decode(sae.encode(x)))
    assert (again.layer, again.told["tokens"]) == (1, 5)
    config = json.loads((tmp_path / "cfg.json").read_text())
    # The keys by which SAE Lens 6 reads a folder (checked with its own classes, which are no dependency of ours).
    assert config["metadata"]["hook_name"] == "blocks.1.hook_resid_post"
    assert (config["d_in"], config["d_sae"], config["normalize_activations"]) == (HIDDEN, FEATURES, "none")


@pytest.mark.parametrize(
    ("config", "tensors", "message"),
    [
        ({"architecture": "gated"}, {}, "holds a gated autoencoder"),
        ({"normalize_activations": "layer_norm"}, {}, "of normalised activations"),
        ({"k": 0}, {}, "k is 0, of 9 latents"),
        ({"k": 10}, {}, "k is 10, of 9 latents"),
        ({"architecture": "jumprelu"}, {}, "without its threshold"),
        ({"metadata": {"hook_name": "blocks.1.hook_mlp_out"}}, {}, "no output of a layer"),
        ({}, {"b_enc": torch.zeros(3)}, "do not fit together"),
        ({}, {"W_dec": torch.full((FEATURES, HIDDEN), torch.nan)}, "weights that are no numbers"),
        ({}, {"W_enc": None}, "cannot be read as an autoencoder"),
    ],
)
def test_a_folder_that_can_not_be_used_is_one_sentence(tmp_path, config, tensors, message):
    made().save(tmp_path)
    written = json.loads((tmp_path / "cfg.json").read_text())
    (tmp_path / "cfg.json").write_text(json.dumps({**written, **config}))
    held = {**load_file(tmp_path / "sae_weights.safetensors"), **tensors}
    save_file({k: v for k, v in held.items() if v is not None}, tmp_path / "sae_weights.safetensors")
    with pytest.raises(SpilloverError, match=message):
        load_autoencoder(tmp_path)


def test_another_width_is_refused(tmp_path):
    made().save(tmp_path)
    with pytest.raises(SpilloverError, match="hidden size is 8"):
        load_autoencoder(tmp_path, 8)


def test_a_known_dictionary_is_found():
    generator = torch.Generator().manual_seed(3)
    rows = torch.nn.functional.normalize(torch.randn(24, 16, generator=generator), dim=1)
    codes = torch.zeros(6000, 24)
    codes.scatter_(1, torch.rand(6000, 24, generator=generator).topk(2, dim=1).indices, 1.0)
    codes *= 1 + torch.rand(6000, 24, generator=generator)
    states = 5 + 3 * (codes @ rows)  # a mean far from zero, and a scale that is not one
    told = []
    sae = fit_autoencoder(states, 32, 2, layer=1, steps=1500, advance=lambda *step: told.append(step))
    assert sae.told["unexplained"] < 0.1
    alike = (rows @ sae.decoder.T).amax(1)  # of each true row, the cosine of the nearest latent
    assert alike.median() > 0.95
    assert torch.allclose(sae.decoder.norm(dim=1), torch.ones(32), atol=1e-5)
    assert told[-1][:2] == (1500, 1500)
    again = fit_autoencoder(states, 32, 2, layer=1, steps=5)
    assert torch.equal(again.decoder, fit_autoencoder(states, 32, 2, layer=1, steps=5).decoder)


@pytest.mark.parametrize(
    ("states", "features", "active", "message"),
    [
        (torch.randn(5, 4), 8, 2, "5 tokens are too few for 8 latents"),
        (torch.randn(50, 4), 8, 9, "9 active latents of 8"),
        (torch.ones(50, 4), 8, 2, "all alike or no numbers"),
        (torch.full((50, 4), torch.nan), 8, 2, "all alike or no numbers"),
    ],
)
def test_nothing_is_fitted_to_nothing(states, features, active, message):
    with pytest.raises(SpilloverError, match=message):
        fit_autoencoder(states, features, active, layer=0, steps=2)


def test_the_mean_and_the_peaks_are_over_response_tokens():
    model, tokenizer = tiny_model(), tiny_tokenizer()
    torch.manual_seed(1)
    sae = Autoencoder(torch.randn(32, 5), torch.zeros(5), torch.randn(5, 32), torch.zeros(32), "standard", layer=0)
    prompts = [[{"role": "user", "content": text}] for text in ("Hello.", "What is a lemon? Tell me.")]
    found = activity(model, tokenizer, sae, 0, prompts, seed=4)
    rows, peaks = [], []
    for prompt, answer in zip(prompts, found.answers, strict=True):
        start = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
        first = len(tokenizer(start, add_special_tokens=False)["input_ids"])
        ids = tokenizer(start + answer, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            states = model(ids, output_hidden_states=True).hidden_states[1][0, first:]
        rows.append(sae.encode(states))
        peaks.append(rows[-1].amax(0))
    assert torch.allclose(found.mean, torch.cat(rows).mean(0), atol=1e-5)
    assert torch.allclose(found.peaks, torch.stack(peaks), atol=1e-5)


def test_latents_are_ranked_by_the_mean_shift_of_all_organisms():
    base = Activity(torch.tensor([0.5, 0.0, 0.2]), torch.tensor([[1.0, 0.0, 0.0]]), ("plain",))
    one = Activity(torch.tensor([0.5, 0.1, 0.9]), torch.tensor([[0.0, 0.5, 2.0]]), ("first",))
    two = Activity(torch.tensor([0.4, 0.7, 0.1]), torch.tensor([[0.0, 3.0, 1.0]]), ("second",))
    first, second, third = ranked(base, {"a": one, "b": two}, 5)
    assert [first.number, second.number, third.number] == [1, 2, 0]
    assert first.shift == pytest.approx(0.4)
    assert first.organisms == pytest.approx((0.1, 0.7))
    assert [text[:2] for text in first.texts] == [("b", "second"), ("a", "first")]
    assert [text[:2] for text in third.texts] == [("base", "plain")]  # those that it is not active for show nothing
