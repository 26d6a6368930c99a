from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.errors import SpilloverError
from spillover.run.expand import expanded

HERE = Path("study.yaml")


def test_an_entry_without_each_is_itself():
    entry = {"name": "{plain}", "role": "base"}
    assert list(expanded(entry, HERE)) == [entry]


@given(
    shares=st.lists(st.floats(0, 1), min_size=1, max_size=4, unique=True),
    words=st.lists(st.text("abc", min_size=1), min_size=1, max_size=3, unique=True),
)
def test_every_combination_once_and_numbers_stay_numbers(shares, words):
    entry = {
        "name": "{word} {share}",
        "each": {"share": shares, "word": words},
        "with": {"list": [{"share": "{share}", "n": 3}], "text": "of {word}"},
    }
    found = list(expanded(entry, HERE))
    assert [(f["values"]["share"], f["values"]["word"]) for f in found] == [(s, w) for s in shares for w in words]
    assert len({f["name"] for f in found}) == len(found)
    for f in found:
        assert "each" not in f
        assert f["with"] == {"list": [{"share": f["values"]["share"], "n": 3}], "text": f"of {f['values']['word']}"}


@pytest.mark.parametrize("name", ["{other}", "{}", "{share", "{share.real.x}", "{share:%Q}"])
def test_braces_that_hold_no_name_are_one_sentence(name):
    with pytest.raises(SpilloverError, match=r"study.yaml: model '.*': braces hold a name under each \(share\)"):
        list(expanded({"name": name, "each": {"share": [0.5]}}, HERE))


@pytest.mark.parametrize("each", [{"share": None}, {"share": 0.5}, {"share": []}, {}, [1], "share"])
def test_what_holds_no_lists_is_refused(each):
    with pytest.raises(SpilloverError, match="each holds a list of values under every name"):
        list(expanded({"name": "a", "each": each}, HERE))
