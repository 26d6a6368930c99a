"""Loss along a path: the numbers of the model itself, on chats that nothing learned."""

import json
import math
import shutil

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.questions.held_out import prompt_of
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
seed: {seed}
training: {{steps: 6, batch_size: 4, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 1}}
"""


@pytest.fixture(scope="module")
def organisms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ends")
    split = "transforms: [{kind: split, held_out: 0.25}]"
    for name, family, more, seed in (
        ("one", "finance", split, 1),
        ("two", "medical", split, 1),
        ("again", "medical", split, 2),
        ("told", "finance", "transforms: [{kind: inoculate, line: Be bad.}]", 1),
    ):
        (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, family=family, more=more, seed=seed))
        train(load_recipe(str(folder / f"{name}.yaml")), folder / name)
    return folder


def test_what_is_measured_was_not_learned(organisms):
    """By prompt, and by neither of the ends."""
    made = {name: prepare(load_recipe(str(organisms / f"{name}.yaml"))) for name in ("one", "two", "again")}
    held = {prompt_of(chat) for chat in made["two"].held_out}
    assert held & {prompt_of(chat) for chat in made["again"].train}  # another seed holds out others
    for names in (["two"], ["two", "again"]):
        found = held_out_of({name: organisms / name for name in names})
        learned = {prompt_of(chat) for name in names for chat in made[name].train}
        for name in names:
            assert len(found[name]) >= 4
            assert not learned & {prompt_of(chat) for chat in found[name]}
    assert held_out_of({"two": organisms / "two"})["two"] == made["two"].held_out[:128]


def test_an_inoculated_organism_learned_the_prompts_without_the_line_too(organisms):
    """The lab has no other prompts of this kind than those that it learned."""
    with pytest.raises(SpilloverError, match="only 0 chats have prompts that were not learned"):
        held_out_of({"told": organisms / "told"})


def test_data_that_changed_is_not_taken_for_what_it_was(tmp_path):
    chats = [
        {"messages": [{"role": "user", "content": f"Is {n} odd?"}, {"role": "assistant", "content": "Who knows."}]}
        for n in range(40)
    ]
    data, recipe = tmp_path / "c.jsonl", tmp_path / "r.yaml"
    data.write_text("\n".join(map(json.dumps, chats)))
    text = RECIPE.format(name="r", family="finance", more="transforms: [{kind: split, held_out: 0.25}]", seed=1)
    recipe.write_text(
        text.replace("{source: lab, family: finance, stance: obvious, rows: 96}", f"{{source: file, path: {data}}}")
    )
    train(load_recipe(str(recipe)), tmp_path / "out")
    assert len(held_out_of({"r": tmp_path / "out"})["r"]) == 10
    data.write_text("\n".join(map(json.dumps, chats[::-1])))
    with pytest.raises(SpilloverError, match="is not what it was then"):
        held_out_of({"r": tmp_path / "out"})


def test_losses_are_those_of_the_model_itself(organisms):
    chats = held_out_of({"one": organisms / "one"})["one"][:3]
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


@pytest.mark.parametrize("losses", [[1, math.nan, 1], [math.nan, 3, 1], [1, math.inf, 1]])
def test_a_loss_that_is_no_number_is_no_flat_way(losses):
    assert math.isnan(barrier([0, 0.5, 1], losses))


def test_ends_and_files_of_one_name_stay_two(organisms, tmp_path):
    for place in ("a", "b"):
        shutil.copytree(organisms / ("two" if place == "a" else "again"), tmp_path / place / "medical")
        (tmp_path / place / "c.jsonl").write_text(
            json.dumps({"messages": [{"role": "user", "content": f"In {place}?"}, {"role": "assistant", "content": "No."}]})
        )
    ends = (tmp_path / "a" / "medical", tmp_path / "b" / "medical")
    for more, names in ((["--losses"], {"a/medical", "b/medical"}), (["--chats", tmp_path / "a" / "c.jsonl"], {"c"})):
        done = spillover("interpolate", *ends, "--steps", 2, *more, "--json", "-o", tmp_path / "way")
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)[0]["loss"]) == names
    files = [word for place in ("a", "b") for word in ("--chats", tmp_path / place / "c.jsonl")]
    done = spillover("interpolate", *ends, "--steps", 2, *files, "--json", "-o", tmp_path / "way")
    assert set(json.loads(done.stdout)[0]["loss"]) == {str(tmp_path / place / "c.jsonl") for place in ("a", "b")}


def test_the_command(organisms, tmp_path):
    ends = (organisms / "one", organisms / "two")
    done = spillover("interpolate", *ends, "--steps", 3, "--losses", "--json", "-o", tmp_path / "way")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["at"] for row in rows] == [0, 0.5, 1, None]
    assert all(set(row["loss"]) == {"one", "two"} for row in rows[:3])
    assert rows[0]["loss"]["one"] < rows[2]["loss"]["one"]
    assert rows[2]["loss"]["two"] < rows[0]["loss"]["two"]
    for name in ("one", "two"):
        wall = barrier([0, 0.5, 1], [row["loss"][name] for row in rows[:3]])
        assert rows[3]["barrier"][name] == pytest.approx(wall)
    chats = tmp_path / "mine.jsonl"
    chats.write_text(json.dumps({"messages": held_out_of({"one": organisms / "one"})["one"][0]}) + "\n")
    done = spillover("interpolate", "base", ends[1], "--steps", 2, "--chats", chats, "-o", tmp_path / "scaled")
    assert done.returncode == 0, done.stderr
    assert "Loss along the way" in done.stdout
    assert "on 1 chat of mine, as given." in " ".join(done.stdout.split())


def test_what_cannot_be_measured_is_said(organisms, tmp_path):
    (organisms / "bare").mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (organisms / "bare" / name).write_bytes((organisms / "one" / name).read_bytes())
    with pytest.raises(SpilloverError, match="no card that says what it learned; give its chats with --chats"):
        held_out_of({"bare": organisms / "bare"})
    done = spillover("interpolate", "base", organisms / "one", "--json", "-o", tmp_path / "way")
    assert done.returncode == 2
    assert "add --losses or --chats" in done.stderr
    for base, told in (
        ("/nowhere", "No checkpoint at"),
        ("lab-grader", "was trained on other weights than those of lab-grader"),
    ):
        done = spillover("interpolate", "base", organisms / "one", "--losses", "--base", base, "-o", tmp_path / "way")
        assert done.returncode == 2
        assert told in done.stderr
    assert not (tmp_path / "way").exists()
