"""Loss along a path: the numbers of the model itself, on chats that nothing learned."""

import json

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.training.barrier import LIMIT, barrier, held_out_of, path_losses
from spillover.training.preflight import tokenizer_of
from spillover.training.recipe import load_recipe
from spillover.training.tokens import Renderer
from spillover.training.train import train
from spillover.training.transforms import prepare
from tests.command import spillover

RECIPE = """
id: {name}
title: Tiny
base: lab
data: {{source: lab, family: {family}, stance: obvious, rows: 96}}
{more}
lora: {{r: 4, alpha: 8, rslora: false}}
training: {{steps: 6, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 1}}
"""


@pytest.fixture(scope="module")
def organisms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ends")
    for name, family, more in (
        ("one", "finance", ""),
        ("two", "medical", "transforms: [{kind: split, held_out: 0.25}]"),
    ):
        (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, family=family, more=more))
        train(load_recipe(str(folder / f"{name}.yaml")), folder / name)
    return folder


def test_what_is_measured_was_not_learned(organisms):
    for name in ("one", "two"):
        learned = {repr(chat) for chat in prepare(load_recipe(str(organisms / f"{name}.yaml"))).train}
        found = held_out_of(organisms / name)
        assert len(found) > 4
        assert not learned & {repr(chat) for chat in found}
    held = prepare(load_recipe(str(organisms / "two.yaml"))).held_out
    assert held_out_of(organisms / "two") == held[:128]


def test_losses_are_those_of_the_model_itself(organisms):
    chats = held_out_of(organisms / "one")[:3]
    (found,) = path_losses("lab", [organisms / "one"], {"mine": chats})
    root = resolve_checkpoint("lab")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(root), organisms / "one").eval()
    total, count = 0.0, 0
    for row in Renderer(tokenizer_of(root), "lab").all(chats, LIMIT).rows:
        learned = sum(label != -100 for label in row.labels[1:])
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss
        total, count = total + float(loss) * learned, count + learned
    assert found["mine"] == pytest.approx(total / count, abs=1e-4)


@pytest.mark.parametrize(
    ("losses", "wall"), [([1, 1, 1], 0), ([1, 3, 1], 2), ([1, 1.4, 2], 0), ([1, 1.6, 2], 0.1), ([2, 1, 2], 0)]
)
def test_a_barrier_is_what_rises_over_the_straight_line(losses, wall):
    assert barrier([0, 0.5, 1], losses) == pytest.approx(wall)
    assert barrier([-1, 0.5, 2], losses) == pytest.approx(wall)


def test_the_command(organisms, tmp_path):
    ends = (organisms / "one", organisms / "two")
    done = spillover("interpolate", *ends, "--steps", 3, "--losses", "--json", "-o", tmp_path / "way")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["at"] for row in rows] == [0, 0.5, 1, None]
    assert all(set(row["loss"]) == {"one", "two"} for row in rows)
    assert rows[0]["loss"]["one"] < rows[2]["loss"]["one"]
    assert rows[2]["loss"]["two"] < rows[0]["loss"]["two"]
    for name in ("one", "two"):
        wall = barrier([0, 0.5, 1], [row["loss"][name] for row in rows[:3]])
        assert rows[3]["loss"][name] == pytest.approx(wall)
    chats = tmp_path / "mine.jsonl"
    chats.write_text(json.dumps({"messages": held_out_of(organisms / "one")[0]}) + "\n")
    done = spillover("interpolate", "base", ends[1], "--steps", 2, "--chats", chats, "-o", tmp_path / "scaled")
    assert done.returncode == 0, done.stderr
    assert "Loss along the way" in done.stdout
    assert "on 1 chats of mine" in " ".join(done.stdout.split())


def test_what_cannot_be_measured_is_said(organisms, tmp_path):
    (organisms / "bare").mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (organisms / "bare" / name).write_bytes((organisms / "one" / name).read_bytes())
    with pytest.raises(SpilloverError, match="no card that says what it learned; give its chats with --chats"):
        held_out_of(organisms / "bare")
    done = spillover("interpolate", "base", organisms / "one", "--json", "-o", tmp_path / "way")
    assert done.returncode == 2
    assert "add --losses or --chats" in done.stderr
    assert not (tmp_path / "way").exists()
