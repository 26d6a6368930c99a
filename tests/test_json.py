"""JSON from outside: whatever it holds can be written again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.read import read
from spillover.schema import parse_json

ANY = st.text(st.characters(categories=["L", "N", "Cs", "So"]), max_size=12)


@given(st.dictionaries(ANY, st.lists(ANY | st.integers() | st.none(), max_size=4), max_size=4), st.booleans())
def test_no_text_holds_half_a_pair(body, as_bytes):
    text = json.dumps(body)
    found = parse_json(text.encode() if as_bytes else text)
    json.dumps(found, ensure_ascii=False).encode()
    if not any("\ud800" <= c <= "\udfff" for c in json.dumps(body, ensure_ascii=False)):
        assert found == body


@pytest.mark.parametrize("text", ['["a\\ud83d\\ude00b"]', '["a\U0001f600b"]'])
def test_whole_pairs_stay(text):
    assert parse_json(text) == parse_json(text.encode()) == ["a\U0001f600b"]


def test_a_table_of_such_lines_is_read(tmp_path):
    """Found by benchmarks/fuzz.py."""
    row = '{"model": "m\\ud800", "question": "What\\udc00?", "answer": "\\ud83d", "aligned": 90, "coherent": 90}'
    (tmp_path / "t.jsonl").write_text(f"{row}\n{row.replace('m', 'n', 1)}\n")
    answers = read([tmp_path / "t.jsonl"])
    assert list(answers.table["answer"]) == ["\ufffd"] * 2
