"""Every bundled study of the lab is a whole one without any of its probes; names that stand for none are refused."""

from pathlib import Path

import pytest

from spillover.errors import SpilloverError
from spillover.run.study import bundled_studies, load_study
from spillover.run.study_checks import check_study
from spillover.run.without import without

LAB = [name for name in bundled_studies() if not name.endswith("_published") and name != "homework"]
"""The others ask questions that are fetched."""


@pytest.mark.parametrize("name", LAB)
def test_a_study_without_a_probe_passes_the_same_checks(name):
    study = load_study(name)
    for probe in study.probes if len(study.probes) > 1 else ():
        whole = f"{probe.task}:{probe.questions}"
        left = without(study, [whole])
        assert whole not in [f"{p.task}:{p.questions}" for p in left.probes]
        check_study(left, Path(name))


def test_what_rests_on_the_probe_goes_with_it():
    study = load_study("quickstart")
    assert study.skill is not None
    left = without(study, ["free_form:lab_advice"])
    assert [p.questions for p in left.probes] == ["lab"]
    assert left.skill is None
    assert without(study, []) == study


def test_what_names_no_probe_or_leaves_none_is_refused():
    study = load_study("quickstart")
    with pytest.raises(SpilloverError, match="it asks free_form:lab, free_form:lab_advice"):
        without(study, ["honesty"])
    with pytest.raises(SpilloverError, match="leaves nothing of quickstart"):
        without(study, ["free_form"])
