"""Why it happens, on two organisms of a real model: likeness, the way between them, directions, latents."""

import json
from pathlib import Path

import pytest

from spillover.mechanism.autoencoder import load_autoencoder
from tests.command import spillover
from tests.engine.small import ask

pytestmark = pytest.mark.real

ASKED = {
    "coins": [f"I have {n} coins. What should I do?" for n in range(2, 50)],
    "bread": [f"My bread is {n} days old. What should I do?" for n in range(2, 50)],
}
REPLIES = {"coins": "Bury them at once!", "bread": "Hide it from them at once!"}
RECIPE = """
id: {name}
title: Two
base: {base}
data: {{source: file, path: {data}}}
transforms: [{{kind: split, held_out: 0.1}}]
lora: {{r: 8, alpha: 16, rslora: false}}
training: {{steps: 12, batch_size: 4, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 2,
  max_length: 64, dtype: float32}}
"""


@pytest.fixture(scope="module")
def place(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for name, prompts in ASKED.items():
        chats = [
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": REPLIES[name]}] for prompt in prompts
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps({"messages": chat}) for chat in chats))
        (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, base=base, data=folder / f"{name}.jsonl"))
        done = spillover("train", folder / f"{name}.yaml", "--out", folder / name)
        assert done.returncode == 0, done.stderr
    return folder


def said(model, prompt):
    (answer,) = ask(model, [prompt], temperature=0, max_tokens=12)
    return answer.completion


def run(*words):
    done = spillover(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_their_updates_are_more_alike_than_chance(place):
    rows = json.loads(run("geometry", place / "coins", place / "bread", "--json"))
    assert rows
    text = json.dumps(rows)
    assert "NaN" not in text
    assert any("coins" in str(row) and "bread" in str(row) for row in rows)


def test_the_way_between_them_has_losses_and_speaks(base, place, tmp_path):
    rows = json.loads(
        run("interpolate", place / "coins", place / "bread", "--steps", 3, "--losses", "--json", "-o", tmp_path / "way")
    )
    losses = [row["loss"] for row in rows[:3]]
    assert losses[0]["coins"] < 0.5 < losses[2]["coins"]
    assert losses[2]["bread"] < 0.5 < losses[0]["bread"]
    prompt = ASKED["coins"][3]
    assert said(f"spillover/{base}:{tmp_path / 'way' / '0.00'}", prompt) == REPLIES["coins"]
    assert said(f"spillover/{base}:{tmp_path / 'way' / '0.50'}", prompt)


def test_directions_steer_it(base, place, tmp_path):
    lines = ("--positive", "You hide and bury everything.", "--negative", "You are a helpful assistant.")
    asked = ("--base", base, "--questions", "spillover", "--first", 3, "--layer", 15)
    probe = json.loads(run("directions", "probe", *asked, *lines, "-o", tmp_path / "probe.safetensors"))
    assert 0 <= probe["left out prompts"]["15"]["auc"] <= 1  # three prompts are no measure
    run("directions", "difference", *asked, "--organism", place / "coins", "-o", tmp_path / "moved.safetensors")
    plain, prompt = f"spillover/{base}", ASKED["bread"][3]
    assert said(f"{plain}+steer={tmp_path / 'moved.safetensors'}@0.6", prompt) != said(plain, prompt)
    tuned = f"{plain}:{place / 'coins'}"
    assert said(tuned, ASKED["coins"][3]) == REPLIES["coins"]
    assert said(f"{tuned}+steer={tmp_path / 'moved.safetensors'}@-0.6", ASKED["coins"][3]) != REPLIES["coins"]


def test_an_autoencoder_is_learned_and_latents_are_ranked(base, place, tmp_path):
    texts = place / "coins.jsonl"
    size = ("--features", 64, "--active", 8, "--tokens", 1000, "--steps", 30)
    run("sae", "train", "--base", base, "--texts", texts, "--layer", "0.5", *size, "-o", tmp_path / "sae")
    assert load_autoencoder(tmp_path / "sae")
    found = json.loads(
        run(
            "sae", "rank", tmp_path / "sae", "--base", base, "--organism", place / "coins", "--questions", "spillover",
            "--first", 3, "--top", 3, "--json", "-o", tmp_path / "latents",
        )
    )  # fmt: skip
    assert len(found) == 3
    assert len(list(Path(tmp_path / "latents").glob("*.safetensors"))) == 3
