"""The files that declare questions, formats, wraps and published files: what they hold, and how a wrong one is refused."""

import itertools

import jsonschema
import pytest

from spillover.declared import parse
from spillover.environments.environment import bundled_environments
from spillover.errors import SpilloverError
from spillover.file_formats import main, schemas
from spillover.paths import data_files, datasets_dir
from spillover.questions.formats import FormatFile
from spillover.questions.load import bundled_sets, load_questions
from spillover.questions.upstream import UpstreamFile
from spillover.questions.wraps import WrapFile
from spillover.schema import read_yaml

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


ENTRY = {"path": "x", "url": "u", "size": 1, "sha256": "0" * 64, "licence": "MIT", "source": "s"}


@pytest.mark.parametrize(
    ("model", "raw", "message"),
    [
        (FormatFile, {"version": "1"}, "f: 'formats' is a required property."),
        (FormatFile, {"version": "1", "formats": {"a": {"suffix": 1}}}, "f: key formats.a.suffix: 1 is not a text."),
        (WrapFile, {"version": "1", "wraps": {"a": {}}}, "f: key wraps.a: 'about' is a required property."),
        (WrapFile, {"version": "1", "wraps": {"a": {"about": "x", "turns": "y"}}}, "f: key wraps.a.turns: y is not a list."),
        (UpstreamFile, {"a": {**ENTRY, "name": "a"}}, "f: key a.name: there is no key 'name' here."),
        (UpstreamFile, {"a": {**ENTRY, "size": "1"}}, "f: key a.size: 1 is not a whole number."),
        (UpstreamFile, {"a": {**ENTRY, "sha256": "0"}}, "f: key a.sha256: '0' does not match ^[0-9a-f]{64}$."),
    ],
)
def test_malformed_formats_wraps_and_registries_are_named_with_the_key(model, raw, message):
    with pytest.raises(SpilloverError) as error:
        parse(model, raw, "f")
    assert str(error.value) == message


def test_every_file_format_has_a_schema_for_editors():
    found = schemas()
    for schema in found.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    valid = jsonschema.Draft202012Validator(found["questions"])
    for name in bundled_sets():
        assert valid.is_valid(read_yaml(datasets_dir() / name / "questions.yaml")), name
    assert not valid.is_valid({"id": "x"})
    valid = jsonschema.Draft202012Validator(found["scenarios"])
    assert valid.is_valid(read_yaml(datasets_dir() / "lab_sabotage" / "scenarios.yaml"))


def test_environments_and_documents_are_valid_by_their_schemas():
    for name in bundled_environments():
        raw = read_yaml(datasets_dir() / name / "environment.yaml")
        valid = jsonschema.Draft202012Validator(schemas()[f"environment_{raw['kind']}"])
        assert valid.is_valid(raw), name
        assert not valid.is_valid({**raw, "titel": "x"})
    valid = jsonschema.Draft202012Validator(schemas()["documents"])
    assert valid.is_valid(read_yaml(datasets_dir() / "rl_documents" / "documents.yaml"))


FOLDERS = {"study": "evals", "suite": "evals/suites", "recipe": "evals/recipes", "rubric": "scorers"}


@pytest.mark.parametrize("name", FOLDERS)
def test_every_bundled_file_is_valid_by_the_schema_of_its_format_and_a_slip_is_not(name):
    valid = jsonschema.Draft202012Validator(schemas()[name])
    files = data_files(FOLDERS[name], "*.yaml")
    assert files
    for path in files:
        raw = read_yaml(path)
        assert [e.message for e in valid.iter_errors(raw)] == [], path
        assert not valid.is_valid({**raw, "titel": "a key that no format knows"}), path


def test_the_schemas_are_written_as_files_for_an_editor(tmp_path):
    main(tmp_path / "schemas")
    assert {p.name for p in (tmp_path / "schemas").iterdir()} == {f"{name}.schema.json" for name in schemas()}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: &a [*a]", "a part of it holds itself"),
        ("a: &a {b: {c: [1, *a]}}", "a part of it holds itself"),
        (
            "a: &a [1]\n" + "".join(f"{x}: &{x} [{','.join([f'*{y}'] * 9)}]\n" for y, x in itertools.pairwise("abcdefghi")),
            "too large",
        ),
    ],
)
def test_names_in_yaml_that_never_end_are_refused(tmp_path, text, sentence):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SpilloverError, match=sentence):
        read_yaml(tmp_path / "x.yaml")


def test_names_in_yaml_that_repeat_a_part_are_taken(tmp_path):
    (tmp_path / "x.yaml").write_text("a: &a [1]\nb: [*a, *a]")
    assert read_yaml(tmp_path / "x.yaml") == {"a": [1], "b": [[1], [1]]}
