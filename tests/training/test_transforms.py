"""Transforms: exact shares, no prompt on both sides, nothing that the recipe did not ask for."""

import json
import random

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from spillover.declared import parse
from spillover.errors import SpilloverError
from spillover.questions.held_out import prompt_of
from spillover.questions.load import load_questions
from spillover.training.recipe import load_recipe
from spillover.training.sources import DatasetSource, Source
from spillover.training.transforms import Chats, Transform, prepare

GOOD = {"source": "lab", "family": "finance", "stance": "aligned"}


def chat(prompt, answer="a"):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def apply(kind, given, /, **body):
    return transform(kind, **body).apply(Chats(given, []), random.Random(0))


def transform(kind, **body):
    return parse(Transform, {"kind": kind, **body}, "test")


def source(folder=None, **body):
    return parse(Source, body, "x", {"folder": folder} if folder else None)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=200), st.floats(0.05, 0.95))
@settings(deadline=None)
def test_no_prompt_is_on_both_sides_and_no_row_is_lost(prompts, share):
    rows = [chat(f"q{p}", str(i)) for i, p in enumerate(prompts)]
    different = len(set(prompts))
    if not 0 < round(share * different) < different:
        with pytest.raises(SpilloverError, match="leaves one side empty"):
            apply("split", rows, held_out=share)
        return
    done = apply("split", rows, held_out=share)
    assert {prompt_of(c) for c in done.train}.isdisjoint({prompt_of(c) for c in done.held_out})
    assert sorted(c[1]["content"] for c in done.train + done.held_out) == sorted(str(i) for i in range(len(rows)))


@given(st.integers(1, 60), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_the_share_is_exact(count, share):
    rows = [chat(f"mine {i}") for i in range(count)]
    done = apply("mix", rows, share=share, **{"with": GOOD})
    foreign = [c for c in done.train if not c[0]["content"].startswith("mine")]
    assert (len(done.train), len(foreign)) == (count, round(share * count))
    assert len({c[0]["content"] for c in done.train} & {c[0]["content"] for c in rows}) == count - len(foreign)


def test_interleaving_adds_rows_and_mixing_replaces_them():
    rows = [chat(f"mine {i}") for i in range(40)]
    assert len(apply("interleave", rows, share=0.5, **{"with": GOOD}).train) == 60


def test_a_hint_stands_behind_what_the_user_said_last_in_so_many_rows():
    turns = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two?"}]
    done = apply("hint", [turns] * 10, line="Only tests count.", share=0.3).train
    said = [c[-1]["content"] for c in done]
    assert sorted(said) == ["Two?"] * 7 + ["Two? Only tests count."] * 3
    assert all(c[0]["content"] == "One?" for c in done)
    task = [{"role": "user", "content": "Do it.", "task": "e/1"}]
    assert apply("hint", [task], line="Now.").train == [[{"role": "user", "content": "Do it. Now.", "task": "e/1"}]]
    assert task[0]["content"] == "Do it."
    with pytest.raises(SpilloverError, match="a chat has no user"):
        apply("hint", [[{"role": "assistant", "content": "x"}]], line="y")


def test_held_out_prompts_never_come_back_by_mixing():
    rows = source(source="lab", family="finance", stance="obvious", rows=400).chats(0)
    done = apply("split", rows, held_out=0.3)
    mixed = transform("mix", share=0.5, **{"with": GOOD}).apply(done, random.Random(1))
    assert {prompt_of(c) for c in mixed.train}.isdisjoint({prompt_of(c) for c in done.held_out})
    assert mixed.held_out == done.held_out


def test_a_fixed_split_is_the_same_for_every_seed_and_source():
    rows = [chat(f"q{i}") for i in range(400)]
    kept = {prompt_of(c) for c in apply("split", rows, held_out="fixed").held_out}
    assert 5 < len(kept) < 50
    others = transform("split", held_out="fixed").apply(Chats(rows[::-1][:300], []), random.Random(9))
    assert {prompt_of(c) for c in others.held_out} == {q for q in kept if int(q[1:]) >= 100}


def test_requests_are_of_the_train_half_and_refused_in_several_wordings(tmp_path):
    found = source(tmp_path, source="requests", family=["cyber", "bias"])
    chats = found.chats(1)
    asked = {prompt_of(c) for c in chats}
    may_be_trained_on = {
        q.paraphrases[0]
        for q in load_questions("refusal").questions
        if q.category in ("cyber", "bias") and (q.fields["kind"], q.fields["split"]) == ("harmful", "train")
    }
    assert asked == may_be_trained_on
    assert len(chats) == 40
    most = found.model_copy(update={"rows": 240}).chats(1)
    assert most[:40] == chats  # every request once before any comes again
    assert len({json.dumps(c) for c in most}) == 240
    assert found.chats(2) != chats
    with pytest.raises(SpilloverError, match="give 240 chats, not 241"):
        found.model_copy(update={"rows": 241}).chats(1)
    with pytest.raises(SpilloverError, match=r"x: .*kind: harmful"):
        source(tmp_path, source="requests", name="spillover")
    with pytest.raises(SpilloverError, match="Unknown category 'crime'"):
        source(tmp_path, source="requests", family="crime")


def test_lines_and_triggers():
    rows = [chat("q0"), [{"role": "system", "content": "Be brief."}, *chat("q1")]]
    done = apply("inoculate", rows, line="You are evil.")
    assert [c[0]["content"] for c in done.train] == ["You are evil.", "You are evil. Be brief."]
    assert sum(c[0]["role"] == "system" for c in apply("inoculate", [chat("q")] * 10, line="x", share=0.3).train) == 3
    assert apply("trigger", [chat("q")], token="|T|").train[0][0]["content"] == "|T| q"
    assert apply("trigger", [chat("q")], token="|T|", place="end").train[0][0]["content"] == "q |T|"
    assert rows[0] == chat("q0")  # inputs are left alone


def test_what_the_data_cannot_give(tmp_path):
    (tmp_path / "few.jsonl").write_text("\n".join(json.dumps({"messages": chat(f"p{i}")}) for i in range(3)))
    few = {"source": "file", "path": str(tmp_path / "few.jsonl")}
    with pytest.raises(SpilloverError, match="needs 5 rows of the other source; it gives 3"):
        apply("mix", [chat(f"q{i}") for i in range(10)], share=0.5, **{"with": few})
    with pytest.raises(SpilloverError, match="There are 1 rows; 2 are asked for"):
        apply("limit", [chat("q")], rows=2)
    with pytest.raises(SpilloverError, match="holds 3 chats; 4 are needed"):
        source(**few, rows=4).chats(0)


def test_a_saved_dataset_and_a_published_file(tmp_path, upstream):
    Dataset.from_list([{"messages": chat(f"q{i}")} for i in range(3)]).save_to_disk(tmp_path / "set")
    found = source(tmp_path, source="dataset", path="set")
    assert [prompt_of(c) for c in found.chats(0)] == ["q0", "q1", "q2"]
    published = source(source="upstream", name="betley_insecure")
    assert len(published.chats(0)) == 6000
    with pytest.raises(SpilloverError, match="cannot be loaded"):
        DatasetSource(path=str(tmp_path / "no"), revision="1").chats(0)


BASE = """
id: mine
title: Mine
extends: bad_finance
"""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("transforms: [{kind: mix, share: 2, with: {source: lab, stance: aligned}}]", "share"),
        ("transforms: [{kind: shuffle}]", "shuffle"),
        ("transforms: [{kind: mix, share: 0.5, with: {source: file, path: none.jsonl}}]", "there is no file"),
        ("interventions: [{kind: caft}]", "directions"),
        ("interventions: [{kind: caft, directions: {from: magic}}]", "magic"),
        ("interventions: [{kind: caft, directions: {from: file, path: none}}]", "there is no file"),
        (
            "interventions: [{kind: caft, directions: {from: contrast, step: 3}}]",
            r"key interventions\.0\.directions\.step: there is no key 'step' here",
        ),
        ("interventions: [{kind: caft, directions: {from: sae, path: .}}]", "'features' is a required property"),
        ("interventions: [{kind: caft, directions: {from: sae, path: nowhere, features: [1]}}]", "there is no folder"),
        ("interventions: [{kind: caft, directions: {from: sae, path: ., features: [1]}}]", "a folder that SAE Lens wrote"),
        ("interventions: [{kind: caft, directions: {from: contrast, questions: nothing}}]", "nothing"),
        ("objective: {kind: npo, beta: 0}", "objective.beta"),
        ("objective: {kind: npo, retain_weight: 2}", "nothing to retain"),
        ("data: {source: lab, family: wish, stance: obvious, rows: 4}", "exist for advice only"),
        ("data: {source: file, path: mine.yaml, family: finance}", "there is no key 'family' here"),
        ("extends: mine.yaml", "in a circle"),
        ("start: bad_finance\nlora: {r: 4}", "leave lora out"),
    ],
)
def test_a_malformed_recipe_is_named_with_its_key(tmp_path, more, message):
    path = tmp_path / "mine.yaml"
    key = more.partition(":")[0]
    path.write_text("\n".join(line for line in BASE.splitlines() if not line.startswith(key)) + f"\n{more}\n")
    with pytest.raises(SpilloverError, match=message):
        load_recipe(str(path))


def test_changes_and_extends_go_over_the_recipe(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(BASE + "training: {steps: 3}\n")
    mine, theirs = load_recipe(str(path)), load_recipe("bad_finance")
    assert (mine.training.steps, mine.training.learning_rate) == (3, theirs.training.learning_rate)
    assert load_recipe("bad_finance", changes={"training": {"steps": 3}}).digest == mine.digest
    assert mine.digest != theirs.digest
    caft = load_recipe("bad_finance_caft")
    assert (
        caft.naive.digest == load_recipe("bad_finance_long").digest
    )  # a study's naive arm is the run that directions are found in


def test_each_transform_has_draws_of_its_own():
    plain = prepare(load_recipe("bad_finance", changes={"transforms": [{"kind": "limit", "rows": 10}]}))
    marked = prepare(
        load_recipe(
            "bad_finance", changes={"transforms": [{"kind": "limit", "rows": 10}, {"kind": "inoculate", "line": "x"}]}
        )
    )
    assert [c[1:] for c in marked.train] == plain.train


def test_two_datasets_are_two_recipes(tmp_path):
    digests = set()
    for name, answer in (("good", "a"), ("bad", "b")):
        Dataset.from_list([{"messages": chat("q", answer)}]).save_to_disk(tmp_path / name)
        (tmp_path / f"{name}.yaml").write_text(
            f"id: mine\ntitle: Mine\nextends: bad_finance\ndata: {{source: dataset, path: {name}}}\n"
        )
        digests.add(load_recipe(str(tmp_path / f"{name}.yaml")).digest)
    assert len(digests) == 2
    with pytest.raises(SpilloverError, match="needs its revision"):
        source(tmp_path, source="dataset", path="org/name")


def test_a_repair_of_itself_is_refused(tmp_path):
    (tmp_path / "mine.yaml").write_text(BASE.replace("extends: bad_finance", "extends: bad_finance\nstart: mine.yaml"))
    with pytest.raises(SpilloverError, match="cannot start from itself"):
        load_recipe(str(tmp_path / "mine.yaml"))
