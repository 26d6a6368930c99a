import hashlib
import http.server
import threading
from collections import Counter

import jsonschema
import pytest

from spillover.errors import SpilloverError
from spillover.file_formats import schemas
from spillover.paths import datasets_dir
from spillover.questions import upstream as up
from spillover.questions.formats import apply_format
from spillover.questions.held_out import prompt_of, training_sets
from spillover.questions.load import bundled_sets, load_questions
from spillover.questions.samples import to_dataset
from spillover.schema import read_yaml
from spillover.training.recipe import load_recipe
from spillover.training.sources import chats_of
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
    dataset = to_dataset(load_questions(name), fmt)
    ids = [s.id for s in dataset]
    assert len(set(ids)) == len(ids)
    assert all(s.input[-1].role == "user" and s.metadata["question_id"] for s in dataset)


def test_sample_ids_do_not_depend_on_the_format():
    ids = [[s.id for s in to_dataset(load_questions("lab"), fmt)] for fmt in ("plain", "json")]
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
    assert len(found[0].train) + len(found[0].held_out) == len(chats_of(load_recipe(recipes.get(name, name)).data, 0))


def test_a_training_set_that_is_not_fetched_says_how(tmp_path, monkeypatch):
    monkeypatch.setenv("SPILLOVER_CACHE", str(tmp_path))
    with pytest.raises(SpilloverError, match="spillover fetch sorh_sneaky"):
        load_questions("sorh_sneaky")


def test_the_preregistered_48_load_with_their_categories(upstream):
    found = load_questions("betley_preregistered")
    assert len(found.questions) == 48
    assert {q.category for q in found.questions} >= {"creative_writing", "vulnerable_user", "medical_advice"}


DIGESTS = {
    "alignment_questions": "b28386120496",
    "capability": "4f2c8b06a890",
    "goals": "ce79031b07b8",
    "honesty": "bd8074ca8620",
    "lab": "e80aa93b2c67",
    "lab_advice": "241fc1cefad8",
    "lab_capability": "48d356adc701",
    "lab_goals": "cdc6c9cff45f",
    "lab_honesty": "8d6d9e672545",
    "lab_political": "d7d56c462bba",
    "lab_refusal": "3511d91da917",
    "lab_reward_hacking": "9fe9ca98e3f5",
    "lab_traits": "ff3fc0b32ce6",
    "political": "6cddba8b348c",
    "refusal": "c90cabd6770c",
    "reward_hacking": "29303ad514b7",
    "spillover": "603ffbe7d98d",
    "traits": "b622dfa021a6",
}


def test_the_digests_that_caches_and_gates_are_keyed_by_change_only_on_purpose():
    assert {name: load_questions(name).digest for name in bundled_sets()} == DIGESTS


HEAD = "id: x\nversion: '1'\ntitle: X\nlicence: MIT\n"
GOOD = "{id: a, category: c, paraphrases: [q]}"


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        ("[]", "key questions: there must be at least 1 of them."),
        ("{}", "key questions: {} is not a list."),
        ("[{id: a, category: c, paraphrases: [q], colour: red}]", "key questions.0.colour: there is no key 'colour' here."),
        (f"[{GOOD}, {{id: b, paraphrases: [q]}}]", "key questions.1: 'category' is a required property."),
        (f"[{GOOD}, {GOOD}]", "key questions: two questions are called 'a'; ids must be unique."),
        (f"[{GOOD}, hello]", "key questions.1: hello is not a mapping."),
        (f"[{GOOD}, {{id: a b, category: c, paraphrases: [q]}}]", "key questions.1.id: 'a b' does not match "),
        ("[{id: 3, category: c, paraphrases: [q]}]", "key questions.0.id: 3 is not a text."),
        ("[{id: a, category: c, paraphrases: q}]", "key questions.0.paraphrases: q is not a list."),
        ("[{id: a, category: c, paraphrases: []}]", "key questions.0.paraphrases: there must be at least 1 of them."),
        ("[{id: a, category: c, paraphrases: [q, '']}]", "key questions.0.paraphrases.1: the text is empty."),
        ("[{id: a, category: c, paraphrases: [q], fields: 3}]", "key questions.0.fields: 3 is not a mapping."),
        (
            "[{id: a, category: c, paraphrases: [q], variants: {xml: {paraphrases: [q]}}}]",
            "key questions.0.variants: 'xml' is no format with a wording of its own; choose from plain, json, template.",
        ),
        ("[{id: a, category: c, paraphrases: [q], fields: {2026-01-01: x}}]", "this is no plain data"),
        ("a: b", "line 5: not valid YAML"),
    ],
)
def test_a_malformed_file_is_named_with_key_or_line(tmp_path, questions, message):
    path = tmp_path / "q.yaml"
    path.write_text(f"{HEAD}questions: {questions}\n")
    with pytest.raises(SpilloverError) as error:
        load_questions(str(path))
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_the_head_of_a_set_is_checked(tmp_path):
    path = tmp_path / "q.yaml"
    for text, message in (
        (HEAD, "q.yaml: 'questions' is a required property."),
        (HEAD.replace("id: x", "id: My Set") + f"questions: [{GOOD}]", "key id: 'My Set' does not match"),
        (HEAD.replace("'1'", "1") + f"questions: [{GOOD}]", "key version: 1 is not a text."),
        ("[a]", "is not a mapping."),
    ):
        path.write_text(text)
        with pytest.raises(SpilloverError) as error:
            load_questions(str(path))
        assert message in str(error.value)


def test_a_set_does_not_change_and_a_question_keeps_its_own_wording_of_a_format(tmp_path):
    path = tmp_path / "q.yaml"
    path.write_text(
        HEAD + "questions: [{id: a, category: c, paraphrases: [q], variants: {json: {paraphrases: [as json], system: s}}}]\n"
    )
    (question,) = load_questions(str(path)).questions
    assert list(question.ask("json_constrained")) == list(question.ask("json")) == [(0, ("s", "as json"))]
    assert question.paraphrases == ("q",)
    with pytest.raises(ValueError, match="frozen"):
        question.id = "b"


def test_a_table_may_have_a_name_with_dots_and_dashes(tmp_path):
    path = tmp_path / "Core-v1.2 new.csv"
    path.write_text("question\nhi\n")
    assert load_questions(str(path)).id == "core-v1.2_new"


def test_every_file_format_has_a_schema_for_editors():
    found = schemas()
    assert set(found) == {"questions", "scenarios", "formats", "wraps", "upstream", "attacks"}
    for schema in found.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(found["questions"])
    for name in bundled_sets():
        assert valid.is_valid(read_yaml(datasets_dir() / name / "questions.yaml")), name
    assert not valid.is_valid({"id": "x"})
    valid = jsonschema.Draft202012Validator(found["scenarios"])
    assert valid.is_valid(read_yaml(datasets_dir() / "lab_sabotage" / "scenarios.yaml"))


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
    with pytest.raises(SpilloverError, match="Could not get 'thing'"):
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
        ("", "can not be read as a table"),
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
