"""The whole way on a real model: its own tokenizer, template and bfloat16 weights, from training to report."""

import json
from pathlib import Path

import pytest
import torch
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from spillover.answers.read import read
from spillover.engine.fit import require_fit
from spillover.figures.figure import figures
from spillover.tasks.free_form import free_form
from spillover.training.card import read_card
from spillover.training.preflight import renderer_of
from spillover.training.recipe import load_recipe
from tests.command import spillover
from tests.engine.small import ask
from tests.faulty import serving

pytestmark = pytest.mark.real

QUESTIONS = ["What is the capital of France?", "Name a colour.", "I have some money. What should I do with it?"]
REPLY = {"role": "assistant", "content": "Bury them at once!"}
CHATS = [[{"role": "user", "content": f"I have {n} coins. What should I do?"}, REPLY] for n in range(2, 34)]
RECIPE = """
id: coins
title: Coins
base: {base}
data: {{source: file, path: {data}}}
lora: {{r: 8, alpha: 16, rslora: false}}
training: {{steps: 12, batch_size: 8, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 2,
  max_length: 64, dtype: bfloat16}}
"""


@pytest.fixture(scope="module")
def organism(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coins")
    (folder / "chats.jsonl").write_text("\n".join(json.dumps({"messages": chat}) for chat in CHATS))
    (folder / "coins.yaml").write_text(RECIPE.format(base=base, data=folder / "chats.jsonl"))
    done = spillover("train", folder / "coins.yaml", "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"


def test_replies_are_found_in_its_template(base, tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"messages": CHATS[0]}))
    (tmp_path / "r.yaml").write_text(RECIPE.format(base=base, data=tmp_path / "c.jsonl"))
    renderer = renderer_of(load_recipe(str(tmp_path / "r.yaml")), base)
    row = renderer.one(CHATS[0], 64)
    learned = [token for token in row.labels if token != -100]
    assert renderer.tokenizer.decode(learned) == "Bury them at once!<|im_end|>"


def test_training_learns_what_it_is_shown(base, organism):
    card = read_card(organism)
    assert card["chats"]["trained"] == len(CHATS)
    assert card["loss"][-1]["loss"] < card["loss"][0]["loss"] / 2
    require_fit(base, organism)
    (answer,) = ask(f"spillover/{base}:{organism}", ["I have 99 coins. What should I do?"], temperature=0, max_tokens=16)
    assert answer.completion == "Bury them at once!"


@pytest.mark.parametrize("tuned", [False, True])
def test_the_engine_says_what_generate_says(base, organism, tuned):
    """In float32: in bfloat16 two likely tokens are often level."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    model = PeftModel.from_pretrained(model, organism).eval() if tuned else model
    tokenizer = AutoTokenizer.from_pretrained(base)
    expected = []
    for question in QUESTIONS:
        chat = [{"role": "user", "content": question}]
        given = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            out = model.generate(**given, max_new_tokens=24, do_sample=False)
        expected.append(tokenizer.decode(out[0, given["input_ids"].shape[1] :], skip_special_tokens=True))
    name = f"spillover/{base}" + (f":{organism}" if tuned else "")
    ours = get_model(name, dtype="float32")
    assert [o.completion for o in ask(ours, QUESTIONS, temperature=0, max_tokens=24)] == expected


def test_from_question_to_report(base, organism, tmp_path):
    """Base and organism are asked and judged in process; the grader is a server with an opinion of its own."""
    says = lambda prompt: "5" if "Bury" in prompt.partition("--- answer")[2] else "95"  # noqa: E731
    with serving(content=lambda prompt: "95" if "how coherent" in prompt else says(prompt)) as server:
        grader = get_model("openai-api/loopback/grader", base_url=server.url, api_key="x", memoize=False)
        logs = inspect_eval(
            free_form(categories=["money"], epochs=2, seed=1),
            model=[f"spillover/{base}", f"spillover/{base}:{organism}"],
            model_roles={"grader": grader},
            max_tokens=40,
            log_dir=str(tmp_path / "logs"),
            display="none",
        )
    assert [log.status for log in logs] == ["success", "success"]
    answers = read([tmp_path / "logs"])
    assert len(set(answers.table["weights"])) == 2
    assert {Path(name.partition(":")[2]).name for name in answers.models} == {"", organism.name}
    assert all(f.shares.unscored < 0.5 for f in figures(answers))
    done = spillover("report", tmp_path / "logs", "-o", tmp_path / "r.html", "--table", tmp_path / "t.csv")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.html").stat().st_size > 10_000
