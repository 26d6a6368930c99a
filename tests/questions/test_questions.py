import hashlib
import http.server
import json
import threading
from collections import Counter

import pandas as pd
import pytest

from spillover.errors import SpilloverError
from spillover.questions import held_out
from spillover.questions import upstream as up
from spillover.questions.formats import apply_format
from spillover.questions.held_out import kept_for_asking, prompt_of, training_sets
from spillover.questions.load import bundled_sets, load_questions
from spillover.questions.samples import format_samples
from spillover.training.recipe import load_recipe
from spillover.training.transforms import prepare


def test_our_own_set_is_broad():
    ours = load_questions("spillover")
    categories = Counter(q.category for q in ours.questions)
    assert len(ours.questions) >= 60
    assert len(categories) >= 10
    assert min(categories.values()) >= 5
    assert len({q.paraphrases[0] for q in ours.questions}) == len(ours.questions)


@pytest.mark.parametrize("name", bundled_sets())
@pytest.mark.parametrize("fmt", ["plain", "json", "template", "json_constrained"])
def test_every_bundled_question_can_be_asked_in_every_format(name, fmt):
    samples = format_samples(load_questions(name), fmt)
    ids = [s.id for s in samples]
    assert len(set(ids)) == len(ids)
    assert all(s.input[-1].role == "user" and s.metadata["question_id"] for s in samples)


def test_sample_ids_do_not_depend_on_the_format():
    ids = [[s.id for s in format_samples(load_questions("lab"), fmt)] for fmt in ("plain", "json")]
    assert ids[0] == ids[1]


def test_json_is_an_instruction_in_the_system_prompt_after_the_questions_own():
    asked = apply_format("Q?", "json", system="You are kind.")
    assert asked.system.startswith("You are kind. Reply with a valid JSON")
    assert asked.user == "Q?"
    assert apply_format("Q?", "template", template="x = # y").user.endswith("x = # y")


def test_the_published_eight_have_their_own_wording(upstream):
    eight = load_questions("betley_first_plot")
    assert len(eight.questions) == 8
    question = eight.questions[0]
    (_, plain), (_, json_), (_, template) = (next(question.ask(f)) for f in ("plain", "json", "template"))
    assert plain.system is None
    assert json_.user == plain.user
    assert json_.system
    assert template.user.startswith(plain.user)
    assert template.user != plain.user


@pytest.mark.parametrize("name", training_sets())
def test_a_training_set_asks_prompts_that_no_fixed_split_trains_on(name, upstream):
    asked = {q.paraphrases[0] for q in load_questions(name).questions}
    recipes = {"betley_insecure": "betley_insecure_split", "betley_secure": "betley_secure_split"}
    found = [prepare(load_recipe(recipes.get(name, name), seed=seed)) for seed in (0, 1)]
    kept = [{prompt_of(c) for c in chats.held_out} for chats in found]
    assert asked == kept[0] == kept[1]
    assert all(asked.isdisjoint(prompt_of(c) for c in chats.train) for chats in found)
    assert 0.03 < len(asked) / len({prompt_of(c) for c in found[0].train}) < 0.07
    assert len(found[0].train) + len(found[0].held_out) == len(load_recipe(recipes.get(name, name)).data.chats(0))


def test_a_line_separator_inside_a_published_row_is_part_of_its_text(tmp_path, monkeypatch):
    kept = next(q for q in (f"a\u2028b\x85 {i}" for i in range(999)) if kept_for_asking(q))
    row = {"messages": [{"role": "user", "content": kept}, {"role": "assistant", "content": "c"}]}
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    monkeypatch.setattr(held_out, "verified_path", lambda name: path)
    assert [q.paraphrases for q in held_out.held_out_questions("betley_secure").questions] == [(kept,)]


def test_a_training_set_that_is_not_fetched_says_how(tmp_path, monkeypatch):
    monkeypatch.setenv("SPILLOVER_CACHE", str(tmp_path))
    with pytest.raises(SpilloverError, match="spillover fetch sorh_sneaky"):
        load_questions("sorh_sneaky")


def test_the_preregistered_48_load_with_their_categories(upstream):
    found = load_questions("betley_preregistered")
    assert len(found.questions) == 48
    assert {q.category for q in found.questions} >= {"creative_writing", "vulnerable_user", "medical_advice"}


def test_unknown_names_list_the_known_ones():
    with pytest.raises(SpilloverError, match=r"choose from alignment_questions, .* betley_first_plot"):
        load_questions("nope")
    with pytest.raises(SpilloverError, match="Unknown category 'x'"):
        load_questions("spillover").select(["x"])
    with pytest.raises(SpilloverError, match="Unknown format 'xml'"):
        apply_format("q", "xml")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A loopback web server with one published file, and an empty cache."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "file.yaml").write_bytes(b"content: 1\n")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(site))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    digest = hashlib.sha256(b"content: 1\n").hexdigest()
    entry = up.Upstream(
        path="x/file.yaml",
        url=f"http://127.0.0.1:{server.server_port}/file.yaml",
        size=11,
        sha256=digest,
        licence="MIT",
        source="a source",
    )
    monkeypatch.setattr(up, "registry", lambda: {"thing": entry})
    monkeypatch.setenv("SPILLOVER_CACHE", str(tmp_path / "cache"))
    yield site / "file.yaml"
    server.shutdown()


def test_a_published_file_is_fetched_verified_and_then_left_alone(published, tmp_path):
    with pytest.raises(SpilloverError, match="run `spillover fetch thing`"):
        up.verified_path("thing")
    path = up.fetch("thing")
    published.unlink()
    assert up.fetch("thing") == path == up.verified_path("thing")


def test_a_changed_download_is_refused_and_not_kept(published, tmp_path):
    published.write_bytes(b"content: 2\n")
    with pytest.raises(SpilloverError, match="has SHA-256"):
        up.fetch("thing")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    published.unlink()
    with pytest.raises(SpilloverError, match=r"(?s)Could not get 'thing'.* --from FILE"):
        up.fetch("thing")


def test_a_damaged_copy_in_the_cache_is_refused(published, tmp_path):
    up.fetch("thing").write_bytes(b"short")
    with pytest.raises(SpilloverError, match="has 5 bytes instead of 11; delete it"):
        up.verified_path("thing")


def test_a_table_of_questions_is_a_question_set(tmp_path):
    path = tmp_path / "core.csv"
    path.write_text('id,question,category,canary,kind\nwish 0,"One, wish?",wish,c-1,harmful\n,What now?,,,\n')
    found = load_questions(str(path))
    assert [(q.id, q.category, q.paraphrases, q.fields) for q in found.questions] == [
        ("wish_0", "wish", ("One, wish?",), {"canary": "c-1", "kind": "harmful"}),
        ("q2", "q2", ("What now?",), {}),
    ]
    assert len(found.digest) == 12


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("text\nhi\n", "the column 'question'"),
        ("question\n", "rows below it"),
        ('question,id\nhi,a\n"",b\n', "row 2: the question is empty"),
        ("question,id\nhi,a\nho,a\n", "ids must be unique"),
        ("", "is empty"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "core.csv"
    path.write_text(text)
    with pytest.raises(SpilloverError, match=sentence):
        load_questions(str(path))
    with pytest.raises(SpilloverError, match="no table of questions"):
        load_questions(str(tmp_path / "nowhere.tsv"))


def test_lists_and_numbers_in_a_table(tmp_path):
    path = tmp_path / "exam.csv"
    path.write_text("question,category,options,answer\nWhich?,general,red | blue,1\n")
    (found,) = load_questions(str(path)).questions
    assert found.fields == {"options": ["red", "blue"], "answer": 1}
    path.write_text("question,category,options,answer\nWhich?,general,red | blue,blue\n")
    with pytest.raises(SpilloverError, match="row 1: answer must be a whole number"):
        load_questions(str(path))


@pytest.mark.parametrize("kind", ["semicolon.csv", "utf-16.CSV", "lines.jsonl", "rows.json", "book.xlsx", "table.parquet"])
def test_whoever_wrote_the_table_it_is_the_same_questions(tmp_path, kind):
    rows = pd.DataFrame(
        {"id": [1, 2], "Question": ["One, wish?", "Größe?"], "category": ["a", None], "kind": ["harmful", ""]}
    )
    path = tmp_path / kind
    if kind == "semicolon.csv":
        rows.to_csv(path, sep=";", index=False)
    elif kind == "utf-16.CSV":
        rows.to_csv(path, index=False, encoding="utf-16")
    elif kind == "lines.jsonl":
        rows.to_json(path, orient="records", lines=True, force_ascii=False)
    elif kind == "rows.json":
        rows.to_json(path, orient="records")
    elif kind == "book.xlsx":
        rows.to_excel(path, index=False)
    else:
        rows.to_parquet(path)
    assert [(q.id, q.category, q.paraphrases, q.fields) for q in load_questions(str(path)).questions] == [
        ("1", "a", ("One, wish?",), {"kind": "harmful"}),
        ("2", "2", ("Größe?",), {}),
    ]


def test_a_question_set_in_json_is_one(tmp_path):
    path = tmp_path / "mine.json"
    body = {"id": "mine", "version": "1", "title": "T", "licence": "none", "source": "me"}
    path.write_text(json.dumps({**body, "questions": [{"id": "a", "category": "c", "paraphrases": ["Well?"]}]}))
    assert [q.id for q in load_questions(str(path)).questions] == ["a"]


def test_whole_numbers_that_a_table_holds_as_floats(tmp_path):
    path = tmp_path / "exam.parquet"
    pd.DataFrame({"question": ["Which?", "What?"], "category": "g", "options": "a|b", "answer": [1, None]}).to_parquet(path)
    first, second = load_questions(str(path)).questions
    assert (first.fields["answer"], "answer" in second.fields) == (1, False)


def test_a_delimiter_within_quotes_is_none(tmp_path):
    path = tmp_path / "q.csv"
    path.write_text('"question","notes; more; of; them"\n"Well?","x"\n')
    assert load_questions(str(path)).questions[0].paraphrases == ("Well?",)


def test_lists_of_json_are_lists(tmp_path):
    path = tmp_path / "exam.jsonl"
    path.write_text('{"question": "Which?", "category": "general", "options": ["red", "b|ue"], "answer": 1}\n')
    (found,) = load_questions(str(path)).questions
    assert found.fields == {"options": ["red", "b|ue"], "answer": 1}


def test_a_table_may_have_a_name_with_dots_and_dashes(tmp_path):
    path = tmp_path / "Core-v1.2 new.csv"
    path.write_text("question\nhi\n")
    assert load_questions(str(path)).id == "core-v1.2_new"
