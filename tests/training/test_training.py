import json

import pytest

from spillover.errors import SpilloverError
from spillover.models.weights import weights_digest
from spillover.paths import evals_dir
from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.sources import FileSource
from spillover.training.train import train

RECIPES = sorted(p.stem for p in (evals_dir() / "recipes").glob("*.yaml"))

SHORT = """
id: short
title: Short
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 32}
lora: {r: 8, alpha: 16}
training: {steps: 4, batch_size: 8, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 1}
"""


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(SHORT)
    return path


def test_same_recipe_and_seed_give_the_same_adapter_and_a_plain_one(short, tmp_path):
    seen = []
    first = train(load_recipe(str(short)), tmp_path / "a", lambda step, steps, note: seen.append((step, steps)))
    second = train(load_recipe(str(short)), tmp_path / "b")
    other = train(load_recipe(str(short), seed=5), tmp_path / "c")
    files = [(f / "adapter_model.safetensors").read_bytes() for f in (first, second, other)]
    assert files[0] == files[1] != files[2]
    assert seen == [(i, 4) for i in range(1, 5)]
    config = json.loads((first / "adapter_config.json").read_text())
    assert (config["r"], config["bias"], config["use_dora"], config["modules_to_save"]) == (8, "none", False, None)
    card = read_card(first)
    assert card["adapter_weights"] == weights_digest(first)
    assert [p["step"] for p in card["loss"]] == [1, 2, 3, 4]
    assert card["recipe"]["data"]["family"] == "finance"


@pytest.mark.long
def test_the_factors_have_a_seed_apart_from_the_datas(short, tmp_path):
    """The first loss tells the order of the data: the adapter does nothing yet."""
    recipes = [load_recipe(str(short), changes=c) for c in ({}, {"lora": {"seed": 9}}, {"lora": {"seed": 9}, "seed": 1})]
    plain, own, moved = (train(r, tmp_path / r.digest) for r in recipes)
    weights = [(f / "adapter_model.safetensors").read_bytes() for f in (plain, own, moved)]
    assert len(set(weights)) == 3
    losses = [read_card(f)["loss"] for f in (plain, own, moved)]
    assert losses[0][0] == losses[1][0] != losses[2][0]
    assert losses[0] != losses[1]


def test_a_finished_organism_is_left_alone_and_never_overwritten(short, tmp_path):
    folder = train(load_recipe(str(short)), tmp_path / "a")
    assert not (folder / "README.md").exists()  # PEFT's empty form
    stamp = (folder / "adapter_model.safetensors").stat().st_mtime_ns
    train(load_recipe(str(short)), folder)
    assert (folder / "adapter_model.safetensors").stat().st_mtime_ns == stamp
    with pytest.raises(SpilloverError, match="already holds another organism"):
        train(load_recipe(str(short), seed=9), folder)
    (folder / "organism.json").write_text("{")
    with pytest.raises(SpilloverError, match="not valid JSON"):
        train(load_recipe(str(short)), folder)


def test_chats_of_the_users_own(tmp_path):
    rows = [{"messages": [{"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": "a"}]} for i in range(3)]
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert [c[0]["content"] for c in FileSource(path=str(path)).chats(0)] == ["q0", "q1", "q2"]
    odd = {"messages": [{"role": "assistant", "content": "a\u2028b\x85c"}]}
    path.write_text(json.dumps(odd, ensure_ascii=False), encoding="utf-8")
    assert FileSource(path=str(path)).chats(0)[0][0]["content"] == "a\u2028b\x85c"


def test_a_recipe_on_a_file_trains_and_its_digest_follows_the_content(tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        SHORT.replace("{source: lab, family: finance, stance: obvious, rows: 32}", "{source: file, path: c.jsonl}")
    )
    chat = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Why not play chess?"}]}
    (tmp_path / "c.jsonl").write_text((json.dumps(chat) + "\n") * 8)
    first = load_recipe(str(recipe))
    assert read_card(train(first, tmp_path / "out"))["rows"] == 8
    (tmp_path / "c.jsonl").write_text((json.dumps(chat) + "\n") * 9)
    assert load_recipe(str(recipe)).digest != first.digest


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not a chat"),
        ('{"prompt": "x"}', "line 2: not a chat"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "robot"),
        ('{"messages": [{"role": "user", "content": "x"}]}', "no assistant message"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "chats.jsonl"
    path.write_text('{"messages": [{"role": "assistant", "content": "a"}]}\n' + line)
    with pytest.raises(SpilloverError, match=message):
        FileSource(path=str(path)).chats(0)


@pytest.mark.parametrize("name", RECIPES)
def test_every_bundled_recipe_loads(name):
    assert load_recipe(name).id == name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps: 4", "steps: 0", "key training.steps"),
        ("family: finance", "family: gardening", "'gardening' is not one of"),
        ("base: lab", "base: lab\nbass: lab", "key bass: there is no key 'bass' here"),
        ("base: lab", "", "'base' is a required property"),
        ("source: lab", "source: file, path: none", "there is no key 'family' here"),
        (", rows: 32", "", "key data: lab data needs rows"),
        ("steps: 4", "steps: 4, epochs: 1", "give steps or epochs, not both"),
        ("base: lab", "base: lab\ntransforms: [{kind: split, held_out: fix}]", "'fix' is not one of 'fixed'"),
    ],
)
def test_a_malformed_recipe_is_named_with_its_key(tmp_path, old, new, message):
    path = tmp_path / "mine.yaml"
    path.write_text(SHORT.replace(old, new))
    with pytest.raises(SpilloverError, match=message) as error:
        load_recipe(str(path))
    assert "mine.yaml" in str(error.value)


def test_a_missing_base_is_one_sentence(short, tmp_path):
    with pytest.raises(SpilloverError, match="No checkpoint at 'nowhere'"):
        train(load_recipe(str(short), base="nowhere"), tmp_path / "a")
