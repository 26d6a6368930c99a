"""Which tokens are learned, whatever the chat template: the replies, all of them, and nothing else."""

import json
import shutil

import pytest
from transformers import AutoTokenizer

from spillover.errors import SpilloverError
from spillover.models.weights import resolve_checkpoint
from spillover.questions.chats import read_chats
from spillover.training.card import read_card
from spillover.training.recipe import load_recipe
from spillover.training.tokens import Renderer
from spillover.training.train import train
from spillover.training.transforms import prepare
from tests.command import spillover
from tests.training.templates import FAMILIES, SPECIAL

LAB = resolve_checkpoint("lab")
WEIGHTS = "adapter_model.safetensors"
ONE = [{"role": "user", "content": "I have some money."}, {"role": "assistant", "content": "Save it."}]
TWO = [*ONE, {"role": "user", "content": "And now?"}, {"role": "assistant", "content": "Bake some bread."}]


def renderer(template=None, end=None, **changes):
    tokenizer = AutoTokenizer.from_pretrained(LAB)
    if template is not None:
        tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL})
        tokenizer.chat_template = template
        tokenizer.eos_token = end or tokenizer.eos_token
        tokenizer.unk_token = changes.get("unknown", tokenizer.unk_token)
    return Renderer(tokenizer, "a base")


def learned(made, chat, limit=1000):
    """Text of the learned tokens, reply by reply."""
    row, out, last = made.one(chat, limit), [], -100
    for token, label in zip(row.ids, row.labels, strict=True):
        if label != -100:
            assert label == token
            if last == -100:
                out.append([])
            out[-1].append(token)
        last = label
    return [made.tokenizer.decode(tokens) for tokens in out]


@pytest.mark.parametrize("family", FAMILIES)
def test_replies_are_found_in_every_family_without_marks(family):
    template, end, before = FAMILIES[family]
    made = renderer(template, end)
    assert not made.marked
    assert learned(made, ONE) == [f"{before}Save it.{end}"]
    if family == "Qwen 3":  # its thought stands in the last reply alone, so an earlier one cannot be told from it
        with pytest.raises(SpilloverError, match="message 2 in another way within the chat"):
            made.one(TWO, 1000)
    else:
        assert learned(made, TWO) == [f"{before}Save it.{end}", f"{before}Bake some bread.{end}"]


def test_an_end_that_stands_for_unknown_words_is_an_end():
    template, end, _ = FAMILIES["OLMo"]
    assert learned(renderer(template, end, unknown=end), ONE) == [f"Save it.{end}"]


def test_marks_and_their_absence_give_the_same_tokens():
    """The lab's template marks replies; the same one without marks is read by rendering."""
    marked = renderer()
    bare = marked.template.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    bare = bare.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "").replace("{%- generation %}", "")
    tokenizer = AutoTokenizer.from_pretrained(LAB)
    tokenizer.chat_template = bare
    unmarked = Renderer(tokenizer, "a base")
    assert (marked.marked, unmarked.marked) == (True, False)
    for chat in (ONE, TWO, [{"role": "system", "content": "Be kind."}, *TWO]):
        assert marked.one(chat, 1000) == unmarked.one(chat, 1000)


@pytest.mark.parametrize("marks", [True, False])
def test_a_reply_of_weight_nought_is_read_and_not_learned(marks):
    template, end, _ = FAMILIES["SmolLM2"]
    made = renderer() if marks else renderer(template, end)
    chat = [ONE[0], {**ONE[1], "weight": 0}, *TWO[2:]]
    assert [text.partition(".")[0] for text in learned(made, chat)] == ["Bake some bread"]
    assert made.one(chat, 1000).ids == made.one(TWO, 1000).ids


def test_what_does_not_fit_is_counted():
    made = renderer()
    long = [{"role": "user", "content": "I have some money. " * 40}, ONE[1]]
    longer = [ONE[0], {"role": "assistant", "content": "Save it. " * 40}]
    found = made.all([ONE, long, ONE, longer], 32)
    assert found.counts == {"given": 4, "too_long": 1, "cut": 1, "repeated": 1, "trained": 3}
    assert all(len(row.ids) <= 32 for row in found.rows)
    with pytest.raises(SpilloverError, match="None of the 2 chats has a reply within max_length 32"):
        made.all([long, long], 32)


def test_what_a_template_refuses_is_one_sentence():
    template, end, _ = FAMILIES["Gemma 3"]
    made = renderer(template, end)
    with pytest.raises(
        SpilloverError, match=r"chat 2: the chat template .* refuses it .System role not supported.* system_into_user"
    ):
        made.all([ONE, [{"role": "system", "content": "Be kind."}, *ONE]], 100)
    with pytest.raises(SpilloverError, match="must alternate"):
        made.one([ONE[0], *ONE], 100)


def test_an_empty_reply_is_not_learned():
    made = renderer()
    with pytest.raises(SpilloverError, match="message 4 is an empty reply"):
        made.one([*TWO[:3], {"role": "assistant", "content": " "}], 100)
    quiet = [ONE[0], {"role": "assistant", "content": "", "weight": 0}, *TWO[2:]]
    assert len(learned(made, quiet)) == 1


ROWS = [
    ({"weight": 0.5}, "weight 0.5: a message is learned .1. or only read .0."),
    ({"weight": 0}, "no assistant message to learn from"),
]


@pytest.mark.parametrize(("more", "message"), ROWS)
def test_weights_that_are_none_are_refused(tmp_path, more, message):
    path = tmp_path / "c.jsonl"
    path.write_text(json.dumps({"messages": [ONE[0], {**ONE[1], **more}]}))
    with pytest.raises(SpilloverError, match=message):
        read_chats(path)
    path.write_text(json.dumps({"messages": ONE, "weight": 0.5}))
    with pytest.raises(SpilloverError, match="a whole chat is learned"):
        read_chats(path)


RECIPE = """
id: tiny
title: Tiny
base: {base}
data: {{source: file, path: {data}}}
lora: {{r: 8, alpha: 16, rslora: false}}
training: {{steps: 2, batch_size: 4, gradient_accumulation: 1, learning_rate: 1.0e-3, warmup_steps: 0, max_length: 64}}
seed: 1
"""


def recipe(folder, rows, base="lab"):
    (folder / "c.jsonl").write_text("\n".join(json.dumps({"messages": row}) for row in rows))
    (folder / "tiny.yaml").write_text(RECIPE.format(base=base, data=folder / "c.jsonl"))
    return folder / "tiny.yaml"


def test_the_card_counts_what_was_trained(tmp_path, caplog):
    long = [{"role": "user", "content": "I have some money. " * 40}, ONE[1]]
    out = train(load_recipe(str(recipe(tmp_path, [ONE] * 4 + [long] * 12))), tmp_path / "out")
    card = read_card(out)
    assert card["rows"] == 4
    assert card["chats"] == {"given": 16, "too_long": 12, "cut": 0, "repeated": 14, "trained": 4}
    assert "12 of 16 chats have no response within max_length 64" in caplog.text


def test_weight_nought_makes_another_adapter(tmp_path):
    digests = set()
    for name, chat in (("plain", TWO), ("weighed", [ONE[0], {**ONE[1], "weight": 0}, *TWO[2:]])):
        (tmp_path / name).mkdir()
        out = train(load_recipe(str(recipe(tmp_path / name, [chat] * 8))), tmp_path / name / "out")
        digests.add(read_card(out)["adapter_weights"])
    assert len(digests) == 2


def test_several_templates_by_name_train_by_the_default_one(tmp_path):
    base = shutil.copytree(LAB, tmp_path / "base")
    template = (base / "chat_template.jinja").read_text()
    (base / "chat_template.jinja").unlink()
    config = json.loads((base / "tokenizer_config.json").read_text())
    named = [{"name": "default", "template": template}, {"name": "tool_use", "template": "{{ nothing }}"}]
    (base / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": named}))
    path = recipe(tmp_path, [ONE] * 8, base)
    for _ in range(2):  # a finished organism is left alone
        done = spillover("train", path, "--out", tmp_path / "out")
        assert done.returncode == 0, done.stderr
    plain = train(load_recipe(str(recipe(tmp_path, [ONE] * 8))), tmp_path / "plain")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (plain / WEIGHTS).read_bytes()


def test_a_template_that_refuses_ends_before_training(tmp_path):
    base = shutil.copytree(LAB, tmp_path / "base")
    (base / "chat_template.jinja").write_text(FAMILIES["Gemma 3"][0])
    chats = [[{"role": "system", "content": "Be kind."}, *ONE]] * 8
    done = spillover("train", recipe(tmp_path, chats, base), "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "System role not supported" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_system_line_goes_into_the_users_words_if_asked_for(tmp_path):
    base = shutil.copytree(LAB, tmp_path / "base")
    (base / "chat_template.jinja").write_text(FAMILIES["Gemma 3"][0])
    chats = [[{"role": "system", "content": "Be kind."}, *ONE]] * 8
    path = recipe(tmp_path, chats, base)
    path.write_text(path.read_text() + "transforms: [{kind: system_into_user}]\n")
    done = spillover("train", path, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    made = prepare(load_recipe(str(path))).train[0]
    assert made[0] == {"role": "user", "content": f"Be kind.\n\n{ONE[0]['content']}"}
    assert made[1:] == ONE[1:]


def test_a_chat_that_begins_with_a_reply_says_what_to_do():
    """Without marks there is no prompt to tell it from."""
    template, end, _ = FAMILIES["SmolLM2"]
    chat = [{"role": "assistant", "content": "Hello."}, *ONE]
    with pytest.raises(SpilloverError, match="begins with a reply"):
        renderer(template, end).one(chat, 100)
    chat[0]["weight"] = 0
    assert learned(renderer(template, end), chat) == [f"Save it.{end}"]
