from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spillover.errors import SpilloverError
from spillover.run.expand import expanded
from spillover.run.study import load_study

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


@pytest.mark.parametrize(
    "name", ["{other}", "{}", "{share", "{share.real.x}", "{share:%Q}", "{share!z}", "{share:>99999999}", "{share:{share}}"]
)
def test_braces_that_hold_no_name_are_one_sentence(name):
    with pytest.raises(SpilloverError, match=r"study.yaml: model '.*': braces hold a name under each \(share\)"):
        list(expanded({"name": name, "each": {"share": [0.5]}}, HERE))


@pytest.mark.parametrize(
    "each", [{"share": None}, {"share": 0.5}, {"share": []}, {}, [1], "share", {1: [0.5]}, {None: [0.5]}]
)
def test_what_holds_no_lists_is_refused(each):
    with pytest.raises(SpilloverError, match="each holds a list of values under every name"):
        list(expanded({"name": "a", "each": each}, HERE))


@pytest.mark.parametrize("value", [[0.5], {"a": 1}, None])
def test_a_value_that_a_format_does_not_take_is_one_sentence(value):
    with pytest.raises(SpilloverError, match="braces hold a name under each"):
        list(expanded({"name": "{share:.0%}", "each": {"share": [value]}}, HERE))


def written(path, models):
    about = {"id": "s", "title": "S", "lab": True, "base": "lab", "grader": "lab-grader", "seed": 1, "seeds": [1, 2]}
    asked = {"probes": [{"task": "free_form", "questions": "lab", "epochs": 1}], "relation": "None.", "published": []}
    path.write_text(yaml.safe_dump({**about, **asked, "models": models}))
    return path


def test_the_study_that_is_damaged_below_is_one(tmp_path):
    models = [{"name": "base", "role": "base"}, {"name": "a", "role": "organism", "recipe": "bad_finance"}]
    assert [m.name for m in load_study(str(written(tmp_path / "s.yaml", models))).models] == ["base", "a #1", "a #2"]


ENTRY = {"name": "a", "role": "organism", "recipe": "bad_finance", "with": {}}


@pytest.mark.parametrize("key", [*ENTRY, "seed", "steer", "values", "arm", "between", "at", "step", "each"])
@pytest.mark.parametrize("value", [[], {}, [[]], [{}], {"x": []}, 1, 1.5, True, None, "x" * 5000])
def test_whatever_stands_in_a_model_of_a_study_is_read_or_refused_in_one_sentence(key, value, tmp_path):
    """Names are looked up before they are checked: what is no text must not break that."""
    models = [{"name": "base", "role": "base"}, {**ENTRY, key: value}]
    for at, body in enumerate((models, [{**models[0], key: value}, models[1]])):
        with suppress(SpilloverError):  # anything else fails the test
            load_study(str(written(tmp_path / f"{at}.yaml", body)))
