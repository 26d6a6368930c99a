"""Who is who, as the logs of a run say it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from spillover.answers.cast import CAST, Cast, cast_of
from spillover.answers.files import Loaded

NAMES = {"lab": "base", "lab:bad": "bad", "lab:good": "good"}
ROLES = {"base": "base", "bad": "organism", "good": "control"}
SAID = Cast(NAMES, ROLES, "base", "finance")


def log(model, cast):
    about = {CAST: cast.as_dict() if isinstance(cast, Cast) else cast}
    return Loaded(Path("a.eval"), header=SimpleNamespace(eval=SimpleNamespace(model=model, metadata=about)))


def logs(cast=SAID):
    return [log(model, cast) for model in cast.names]


def test_all_logs_say_what_the_run_said():
    assert cast_of(logs(), list(NAMES)) == SAID


def test_models_that_are_not_there_are_not_told_of():
    found = cast_of([log("lab:bad", SAID)], ["lab:bad"])
    assert found == Cast({"lab:bad": "bad"}, {"bad": "organism"}, None, "finance")


def test_two_models_are_never_called_alike():
    other = Cast({"lab": "base", "lab:worse": "bad"}, ROLES, "base", "finance")
    assert cast_of([*logs(), *logs(other)], [*NAMES, "lab:worse"]) == Cast()
    assert cast_of(logs(), [*NAMES, "bad"]) == Cast()  # a model of a table
    same = Cast({"lab": "base", "lab:bad": "worse"}, ROLES, "base", "finance")
    assert cast_of([*logs(), *logs(same)], list(NAMES)) == Cast()


def test_what_runs_differ_in_is_left_open():
    other = Cast({"lab:bad": "bad", "lab:worse": "worse"}, {"worse": "organism"}, "bad", "sport")
    found = cast_of([*logs(), *logs(other)], [*NAMES, "lab:worse"])
    assert (found.base, found.taught) == (None, None)
    assert found.names == NAMES | {"lab:worse": "worse"}
    assert found.roles["worse"] == "organism"


@pytest.mark.parametrize(
    "raw", [None, [], "x", {}, {"names": {"lab": 3}, "roles": {}}, {"names": {}, "roles": {}, "base": []}, {"names": 1}]
)
def test_whatever_a_log_holds_is_read_or_passed_over(raw):
    assert cast_of([log("lab", raw)], ["lab"]) == Cast()
