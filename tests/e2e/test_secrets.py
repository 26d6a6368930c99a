"""Keys and passwords that providers repeat stand in nothing that a whole run leaves behind."""

import base64
import json
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover import redaction
from spillover.answers.scrub import scrub
from spillover.cli.models import parse_arguments
from spillover.errors import SpilloverError
from spillover.redaction import MASK, redact
from spillover.sinks import visible
from tests.command import spillover
from tests.faulty import serving

KEY, PASSWORD = "sk-PLANTED-0123456789abcdef", "p4ssw0rd-PLANTED"
PAIR = base64.b64encode(f"user:{PASSWORD}".encode()).decode()


def artefacts(folder):
    """(name, bytes) of every file, logs unpacked."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield str(path), path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                for part in packed.infolist():
                    yield f"{path}!{part.filename}", packed.read(part)


@pytest.fixture
def talkative():
    """A server that repeats the header it was let in by, in answers and in errors."""

    def said(prompt, headers):
        return f"90 {headers.get('Authorization')} {KEY} user:{PASSWORD} {PAIR}"

    with serving(content=said) as server:
        server.tells = True
        yield server


@pytest.fixture
def keys(talkative, monkeypatch):
    monkeypatch.setattr(redaction, "_given", set())
    monkeypatch.setenv("TALK_API_KEY", KEY)
    monkeypatch.setenv("TALK_BASE_URL", talkative.url.replace("://", f"://user:{PASSWORD}@"))


def test_a_whole_run_keeps_no_secret(keys, talkative, tmp_path, monkeypatch):
    monkeypatch.setenv("SPILLOVER_JUDGEMENTS", str(tmp_path / "judgements.sqlite"))
    (tmp_path / "suite.yaml").write_text(
        "id: one\nversion: '1'\ntitle: One\nabout: One.\n"
        "probes: [{task: free_form, args: {questions: lab, categories: [bored, money], epochs: 2}}]\n"
    )
    grader = ["--grader", "openai-api/talk/grader", "--no-check"]
    out = tmp_path / "out"
    done = [
        spillover("eval", "openai-api/talk/model", *grader, "--suite", tmp_path / "suite.yaml", "--no-lab", "--out", out),
        spillover("judge", out, *grader, "--reader", "number", "-o", tmp_path / "judged"),
    ]
    talkative.down = "400"  # an error repeats it too
    done += [
        spillover("eval", "openai-api/talk/other", *grader, "--suite", tmp_path / "suite.yaml", "--no-lab", "--out", out),
        spillover("judge", out, *grader, "--reader", "json", "-o", tmp_path / "again"),
    ]
    printed = "".join(d.stdout + d.stderr for d in done)
    found = [*artefacts(tmp_path), ("terminal", printed.encode())]
    for secret in (KEY, PASSWORD, PAIR):
        assert [name for name, content in found if secret.encode() in content] == []
    assert sum(MASK.encode() in content for _, content in found) > 5  # it was there to be found
    assert [d.returncode for d in done][2:] == [2, 2]


def test_shown_text_holds_no_secret(keys):
    text = f"Authorization: Bearer {KEY}; http://user:{PASSWORD}@host/v1; Basic {PAIR}; http://a:b@c"
    assert redact(text) == f"Authorization: Bearer {MASK}; http://{MASK}@host/v1; Basic {MASK}; http://{MASK}@c"
    assert visible(text) == redact(text)


@given(st.text())
def test_other_text_is_left_alone(text):
    if "://" not in text and "Bearer " not in text and not any(s in text for s in redaction.known()):
        assert redact(text) == text


def test_only_logs_are_cleaned_and_only_their_texts(tmp_path, monkeypatch):
    """A password may be a word of the format, or a row of digits in a number."""
    monkeypatch.setattr(redaction, "_given", {"password1", "17243456", KEY})
    (tmp_path / "mine.json").write_text(json.dumps({"k": KEY}))
    (tmp_path / "logs.json").write_text(json.dumps({"password1": f"{KEY} 17243456", "time": 0.17243456}))
    with zipfile.ZipFile(tmp_path / "a.eval", "w") as log:
        log.writestr("header.json", json.dumps({"password1": [f"x {KEY}"], "n": 17243456}))
    (tmp_path / "b.eval").write_bytes((tmp_path / "a.eval").read_bytes()[:-20])
    damaged = bytearray((tmp_path / "a.eval").read_bytes())
    damaged[45:60] = b"x" * 15
    (tmp_path / "c.eval").write_bytes(damaged)
    scrub(tmp_path)
    assert json.loads((tmp_path / "mine.json").read_text()) == {"k": KEY}
    assert json.loads((tmp_path / "logs.json").read_text()) == {"password1": f"{MASK} {MASK}", "time": 0.17243456}
    with zipfile.ZipFile(tmp_path / "a.eval") as log:
        assert json.loads(log.read("header.json")) == {"password1": [f"x {MASK}"], "n": 17243456}
    assert (tmp_path / "c.eval").read_bytes() == bytes(damaged)


def test_a_key_in_a_wrong_argument_or_in_a_header_is_known(monkeypatch):
    monkeypatch.setattr(redaction, "_given", set())
    with pytest.raises(SpilloverError, match="Cannot use the argument 'api-key'"):
        parse_arguments([f"api-key={KEY}"])
    assert redact(KEY) == MASK
    parse_arguments(["default_headers={Authorization: 'Token 0123456789-other-key', X-Trace: abc}"])
    assert redact("0123456789-other-key") == MASK
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-0123456789")
    assert redact("bedrock-0123456789") == MASK


def test_words_and_numbers_are_no_secrets(monkeypatch):
    monkeypatch.setattr(redaction, "_given", set())
    monkeypatch.setenv("DB_PASSWORD", "password")
    monkeypatch.setenv("MAX_TOKEN_COUNT", "17243456")
    assert redact("password 17243456; Bearer authentication") == "password 17243456; Bearer authentication"


def test_short_values_and_paths_are_no_secrets(monkeypatch, tmp_path):
    monkeypatch.setattr(redaction, "_given", set())
    for name in [n for n in os.environ if redaction.SECRET_NAME.search(n)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHORT_API_KEY", "x")
    monkeypatch.setenv("FILE_KEY", str(tmp_path))
    monkeypatch.setenv("ANY_TOKEN", 'long enough "quoted"')
    assert redaction.known() == ('long enough "quoted"',)
    assert json.loads(json.dumps(redaction.spellings(redaction.known()[0])[1])) == 'long enough \\"quoted\\"'
