"""Who is who, as the logs of a run say it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.cast import CAST, Cast, cast_of, made_cast, shown_names
from spillover.answers.files import Loaded

NAMES = {"lab": "base", "lab:/x/bad": "bad", "lab:/x/good": "good"}
SHORT = {"lab": "lab", "lab:/x/bad": "lab:bad", "lab:/x/good": "lab:good"}
ROLES = {"base": "base", "bad": "organism", "good": "control"}
SAID = made_cast(NAMES, ROLES, "base", "finance")


def log(model, cast, **about):
    about = {"probe": "free_form", CAST: cast.as_dict() if isinstance(cast, Cast) else cast, **about}
    return Loaded(Path("a.eval"), header=SimpleNamespace(eval=SimpleNamespace(model=model, metadata=about)))


def logs(cast=SAID):
    return [log(model, cast) for model in NAMES]


def test_logs_say_what_the_run_said_and_no_path():
    assert cast_of(logs()) == SAID
    assert shown_names(SAID, SHORT) == NAMES
    assert "/x/" not in str(SAID.as_dict())


def test_logs_that_say_nothing():
    assert cast_of([]) is None
    assert cast_of([log("lab", None)]) is None
    other_package = Loaded(Path("b.eval"), header=SimpleNamespace(eval=SimpleNamespace(model="lab", metadata={})))
    assert cast_of([*logs(), other_package]) == SAID


def test_what_logs_do_not_all_say_is_left_open():
    for other in (replace(SAID, base="bad", taught="sport"), None):
        found = cast_of([*logs(), log("lab", other)])
        assert (found.base, found.taught) == (None, None)
        assert found.names == SAID.names
        assert cast_of([log("lab", other), *logs()]) == found


def test_a_role_that_runs_differ_in_is_none_whatever_the_order():
    other = replace(SAID, roles={**ROLES, "bad": "control"})
    for some in ([*logs(), *logs(other)], [*logs(other), *logs()]):
        assert cast_of(some).roles == {"base": "base", "good": "control"}


@pytest.mark.parametrize(
    ("more", "short"),
    [
        ({"lab:/y/bad": "bad"}, {"lab:/x/bad": "lab:/x/bad", "lab:/y/bad": "lab:/y/bad"}),  # of another run
        ({}, {"bad": "bad"}),  # of a table
        ({"lab:/y/worse": "bad"}, {"lab:/y/worse": "lab:worse"}),
        ({}, {"lab:/y/worse": "good"}),
    ],
)
def test_two_models_are_never_called_alike(more, short):
    cast = made_cast({**NAMES, **more}, ROLES, "base")
    found = shown_names(cast, SHORT | short)
    assert len(set(found.values())) == len(found)
    assert found["lab"] == "base"  # who is alone keeps the run's name


def test_a_name_that_another_falls_back_to_is_taken():
    """One would be called what a second falls back to, since a third has the second's new name."""
    cast = made_cast({"a": "b", "b": "c", "d": "c"})
    found = shown_names(cast, {"a": "a", "b": "b", "d": "d"})
    assert found == {"a": "a", "b": "b", "d": "d"}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcxy")), st.lists(st.sampled_from("abcdef"), unique=True)
)
def test_whatever_runs_call_them_no_two_are_called_alike(names, models):
    found = shown_names(made_cast(names), {model: model for model in models})
    assert len(set(found.values())) == len(models)


@pytest.mark.parametrize(
    "raw",
    [
        [],
        "x",
        {},
        {"names": 1},
        {"names": {"a": 3}, "roles": {}},
        {"names": {"a": " "}, "roles": {}},
        {"names": {}, "roles": {}, "base": []},
        {"names": {}, "roles": {}, "base": ""},
    ],
)
def test_whatever_a_log_holds_is_read_or_passed_over(raw):
    assert cast_of([log("lab", raw)]) is None
