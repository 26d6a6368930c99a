"""An adapter is applied, all of it, or refused before anything is asked."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from inspect_ai.model import get_model
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from spillover.engine import fit
from spillover.engine.fit import require_fit, require_named_fit
from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from tests.command import spillover

LAB = resolve_checkpoint("lab")
FILE = "adapter_model.safetensors"


def renamed(tensors):
    """As a class around the model writes them."""
    return {k.replace("model.model.layers", "model.model.language_model.layers"): v for k, v in tensors.items()}


def half(tensors):
    return {k: v for k, v in tensors.items() if ".layers.0." not in k}


def odd_one(tensors):
    return {**tensors, "base_model.model.model.layers.99.self_attn.q_proj.lora_A.weight": torch.zeros(8, 4)}


def narrow(tensors):
    return {k: v[:, :5].contiguous() if "lora_A" in k else v for k, v in tensors.items()}


def resized(tensors):
    return {**tensors, "base_model.model.model.embed_tokens.weight": torch.zeros(7, 5)}


def not_finite(tensors):
    return {k: v * float("nan") if i == 3 else v for i, (k, v) in enumerate(tensors.items())}


CASES = [
    (renamed, "is of another base than .*: no tensor of it fits"),
    (half, "lacks .* of the .* tensors that its configuration asks for"),
    (odd_one, "1 of the .* tensors of the adapter .* have no place"),
    (narrow, "is 8 x 5 and should be"),
    (resized, "another vocabulary: model.embed_tokens.weight is 7 x 5"),
    (not_finite, "not finite"),
    (lambda tensors: {}, "holds no tensors"),
]


@pytest.mark.parametrize(("change", "message"), CASES)
def test_what_does_not_fit_is_one_sentence_in_engine_server_and_gate(adapters, tmp_path, change, message):
    folder = Path(shutil.copytree(adapters[8], tmp_path / "changed"))
    save_file(change(load_file(folder / FILE)), folder / FILE)
    with pytest.raises(SpilloverError, match=message):
        get_model(f"spillover/lab:{folder}")
    with pytest.raises(SpilloverError, match=message):
        require_named_fit(f"vllm/{LAB}:{folder}")
    for engine in ([f"spillover/lab:{folder}"], [f"lab:{folder}", "--engine", "vllm", "--grader", "lab-grader"]):
        done = spillover("screen", *engine, "--suite", "quick", "--out", tmp_path / "out")
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
    done = spillover("eval", f"spillover/lab:{folder}", "--suite", "quick", "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert not (tmp_path / "out").exists()


def test_garbage_is_no_adapter(adapters, tmp_path):
    folder = Path(shutil.copytree(adapters[8], tmp_path / "changed"))
    (folder / FILE).write_bytes(b"\xff" * 64)
    with pytest.raises(SpilloverError, match="is no safetensors file"):
        require_fit(LAB, folder)
    shutil.copy(Path(adapters[8]) / FILE, folder / FILE)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["nowhere"]}))
    with pytest.raises(SpilloverError, match=r"cannot be put on .*nowhere"):
        require_fit(LAB, folder)


KINDS = {
    "plain": {},
    "some layers": {"layers_to_transform": [1]},
    "dora": {"use_dora": True},
    "a whole module": {"modules_to_save": ["lm_head"]},
    "embeddings": {"target_modules": ["q_proj", "embed_tokens"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_adapters_of_every_kind_fit(tmp_path, kind):
    made = {"r": 4, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM", **KINDS[kind]}
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(LAB), LoraConfig(**made))
    model.save_pretrained(tmp_path)
    require_fit(LAB, tmp_path)
    tensors = load_file(tmp_path / FILE)
    tensors.pop(next(name for name in tensors if "lora_A" in name))
    save_file(tensors, tmp_path / FILE)
    with pytest.raises(SpilloverError, match="lacks 1 of the"):  # a part of each kind is looked for
        require_fit(LAB, tmp_path)


def test_a_base_that_transformers_does_not_know_is_left_to_the_server(adapters, tmp_path, caplog):
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "nobody_knows"}')
    save_file({}, base / "model.safetensors")
    (base / "tokenizer.json").write_text("{}")
    require_named_fit(f"vllm/{base}:{adapters[8]}")
    assert "was not checked" in caplog.text
    with pytest.raises(SpilloverError, match="transformers cannot make the base"):
        require_fit(base, Path(adapters[8]))


def test_a_file_of_embeddings_alone_is_one_sentence(adapters, tmp_path):
    folder = Path(shutil.copytree(adapters[8], tmp_path / "changed"))
    weight = AutoModelForCausalLM.from_pretrained(LAB).get_input_embeddings().weight
    save_file({"base_model.model.model.embed_tokens.weight": weight.detach().clone()}, folder / FILE)
    with pytest.raises(SpilloverError, match="lacks"):
        require_fit(LAB, folder)


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    """A mixture of experts, which transformers names otherwise than its files do, and an adapter on its attention."""
    from transformers import Qwen3MoeConfig

    place = tmp_path_factory.mktemp("experts")
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 32, "moe_intermediate_size": 16, "head_dim": 16}
    config = Qwen3MoeConfig(
        **sizes, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, num_experts=4, num_experts_per_tok=2
    )
    assert fit.renamed(config.model_type)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(place / "base")
    get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"])).save_pretrained(place / "adapter")
    return place


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda name: name, None),
        (lambda name: name.replace("model.model.layers", "model.model.language_model.layers"), "8 tensors have no place in"),
        (lambda name: name if ".layers.0." in name else None, "4 tensors are missing for"),
    ],
)
def test_an_adapter_of_a_base_with_other_names_in_files_is_applied_or_refused(experts, tmp_path, change, sentence):
    folder = Path(shutil.copytree(experts / "adapter", tmp_path / "adapter"))
    tensors = load_file(folder / FILE)
    save_file({new: value for name, value in tensors.items() if (new := change(name))}, folder / FILE)
    if sentence is None:
        require_fit(experts / "base", folder)
        return
    with pytest.raises(SpilloverError, match=sentence):
        require_fit(experts / "base", folder)
