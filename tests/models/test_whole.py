"""A broken checkpoint is refused in one sentence before anything is trained or asked."""

import json
import shutil
import struct

import pytest
from inspect_ai.model import get_model

from spillover.engine.fit import require_fit, require_named_fit
from spillover.errors import SpilloverError
from spillover.models.weights import adapter_rank, resolve_checkpoint
from spillover.paths import datasets_dir
from tests.command import spillover
from tests.organisms import organism


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(datasets_dir() / "lab" / "target", tmp_path / "copy")


def cut(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def no_template(folder):
    (folder / "chat_template.jinja").unlink()


def lost_shard(folder):
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def writing(name, text):
    return lambda folder: (folder / name).write_text(text)


def dangling(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "blobs" / "gone")


def headed(header):
    def damage(folder):
        body = json.dumps(header).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(body)) + body + b"0000")

    return damage


def one_of_two(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")


BROKEN = [
    (cut, "is cut short"),
    (no_tokenizer, "has no tokenizer"),
    (lost_shard, "lacks model-00002-of-00002.safetensors"),
    (writing("config.json", "{"), "config.json cannot be read as JSON"),
    (writing("config.json", "[]"), "config.json holds no mapping"),
    (writing("config.json", "{}"), "names no model_type"),
    (writing("model.safetensors", "{}"), "is no safetensors file"),
    (dangling, "points to a file that is not there"),
    (headed([]), "is no safetensors file"),
    (headed({"a": {"shape": [1]}}), "is no safetensors file"),
    (headed({"a": {"shape": [1], "data_offsets": [0]}}), "is no safetensors file"),
    (headed({"a": {"shape": 1, "data_offsets": [0, 1]}}), "is no safetensors file"),
    (writing("model.safetensors.index.json", '{"weight_map": null}'), "has no weight_map"),
    (one_of_two, "lacks model-00002-of-00002.safetensors"),
]


@pytest.mark.parametrize(("damage", "sentence"), BROKEN)
def test_a_broken_checkpoint_is_named(copy, damage, sentence):
    damage(copy)
    with pytest.raises(SpilloverError, match=sentence):
        resolve_checkpoint(str(copy))
    with pytest.raises(SpilloverError, match=sentence):
        require_named_fit(f"vllm/{copy}")
    with pytest.raises(SpilloverError, match=sentence):
        get_model(f"spillover/{copy}", memoize=False)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (no_template, "has no chat template"),
        (writing("chat_template.jinja", "{{ nothing.at.all }}"), "cannot write a question"),
        (writing("chat_template.jinja", "{% if %}"), "cannot write a question"),
        (writing("tokenizer.json", "{}"), "cannot be loaded"),
    ],
)
def test_one_that_cannot_be_talked_to_is_refused_when_it_is_named(copy, damage, sentence):
    damage(copy)
    with pytest.raises(SpilloverError, match=sentence):
        get_model(f"spillover/{copy}", memoize=False)


@pytest.mark.parametrize("damage", [cut, no_tokenizer])
def test_training_and_asking_end_with_the_sentence(copy, damage, tmp_path):
    damage(copy)
    for command in (
        ["train", "bad_finance", "--base", copy, "--out", tmp_path / "o"],
        ["eval", f"spillover/{copy}", "--grader", "spillover/lab-grader"],
    ):
        done = spillover(*command)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 3, done.stderr
        assert "again to go on" not in done.stderr
    assert not (tmp_path / "o").exists()


def test_an_adapter_on_other_weights_than_its_own_is_told(copy, tmp_path_factory, caplog):
    made = organism("bad_finance", tmp_path_factory)
    require_fit(datasets_dir() / "lab" / "target", made)
    assert "another checkpoint" not in caplog.text
    (copy / "generation_config.json").write_text('{"pad_token_id": 0}')
    require_fit(copy, made)
    assert "was trained on another checkpoint" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [
        {"r": None},
        {"r": 0},
        {"r": 10**9},
        {"r": 1.5},
        {"lora_alpha": None},
        {"lora_alpha": float("nan")},
        {"lora_alpha": 1e300},
        {"lora_alpha": True},
        {"alpha_pattern": {"q_proj": float("inf")}},
        {"rank_pattern": ["q_proj"]},
        {"megatron_config": {"a": 1}, "megatron_core": "antigravity"},
    ],
    ids=str,
)
def test_what_an_adapter_says_of_itself_has_limits(tmp_path, changed):
    whole = {"peft_type": "LORA", "r": 8, "lora_alpha": 16}
    (tmp_path / "adapter_config.json").write_text(json.dumps(whole))
    assert adapter_rank(tmp_path) == 8
    (tmp_path / "adapter_config.json").write_text(json.dumps({**whole, **changed}))
    with pytest.raises(SpilloverError, match=r"adapter_config\.json"):
        adapter_rank(tmp_path)
