"""Models between two others in a study, and which updates it compares."""

import pytest

from spillover.errors import SpilloverError
from spillover.run.between import between_all, compared
from spillover.run.study import load_study
from tests.command import spillover

STUDY = """
id: s
title: S
lab: true
base: lab
grader: lab-grader
seeds: [1, 2]
geometry: [bad, good]
models:
  - {name: base, role: base}
  - {name: bad, role: organism, recipe: bad_finance}
  - {name: good, role: control, recipe: good_finance}
  - {name: half, role: organism, between: [bad, good], at: 0.5}
  - {name: past, role: organism, between: [base, bad], at: 2}
probes: [{task: free_form, questions: lab, epochs: 1}]
"""


def load(folder, text=STUDY):
    (folder / "s.yaml").write_text(text)
    return load_study(str(folder / "s.yaml"))


def test_each_seed_lies_between_its_own_ends(tmp_path):
    study = load(tmp_path)
    half = [m for m in study.models if m.arm == "half"]
    assert [(m.name, [study.end(m, e).name for e in m.between]) for m in half] == [
        ("half #1", ["bad #1", "good #1"]),
        ("half #2", ["bad #2", "good #2"]),
    ]
    past = next(m for m in study.models if m.name == "past #2")
    assert [study.end(past, e).name for e in past.between] == ["base", "bad #2"]


def test_pairs_are_of_one_seed_across_arms_and_of_neighbours_within(tmp_path):
    study = load(tmp_path)
    folders = {m.name: tmp_path / m.name for m in study.models if m.recipe}
    named, groups = compared(study, folders)
    assert [n for n, _ in named] == ["bad #1", "bad #2", "good #1", "good #2"]
    assert groups == {
        ("bad #1", "good #1"): "bad – good",
        ("bad #2", "good #2"): "bad – good",
        ("bad #1", "bad #2"): "bad, two seeds",
        ("good #1", "good #2"): "good, two seeds",
    }


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("at: 0.5}", "}", "between and at belong together"),
        ("[bad, good]", "[bad, nobody]", "'nobody' is no model that is trained or given"),
        ("[bad, good]", "[bad, bad]", "can not lie between 'bad' twice"),
        ("[base, bad]", "[bad, base]", "'base' is no model that is trained or given"),
        ("[base, bad]", "[base, half]", "'half' is no model that is trained or given"),
        (
            "between: [bad, good], at: 0.5",
            "recipe: bad_medical, between: [bad, good], at: 0.5",
            "any other exactly one of them",
        ),
        ("geometry: [bad, good]", "geometry: [bad, half]", "key geometry: 'half' is no arm with a recipe"),
        ("seeds: [1, 2]\ngeometry: [bad, good]", "geometry: [bad]", "one adapter alone has nothing to be compared with"),
        ("geometry: [bad, good]", "geometry: [bad, nobody]", "key geometry: 'nobody' is no arm with a recipe"),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path, old, new, message):
    head, _, models = STUDY.partition("models:")
    text = head.replace(old, new) + "models:" + (models if "geometry" in old else models.replace(old, new))
    with pytest.raises(SpilloverError, match=message):
        load(tmp_path, text)


@pytest.mark.long
def test_a_study_makes_them_and_shows_the_likeness(tmp_path):
    load(tmp_path)
    done = spillover("run", tmp_path / "s.yaml", "--limit", "2", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Likeness of updates" in done.stdout
    assert "bad – good" in done.stdout
    assert "half #1" in done.stdout
    place = tmp_path / "out-first-2" / "organisms"
    made = sorted(p.name for p in place.glob("between-*"))
    assert len(made) == 2
    again = spillover("run", tmp_path / "s.yaml", "--limit", "2", "--out", tmp_path / "out")
    assert again.stdout == done.stdout
    assert sorted(p.name for p in place.glob("between-*")) == made


def test_what_is_there_is_used_again(tmp_path, monkeypatch):
    study = load(tmp_path)
    study = study.model_copy(update={"models": [m for m in study.models if m.seed in (None, 1)]})
    from tests.mechanism.test_subspaces import adapter

    ends = {"base": None, "bad #1": adapter(tmp_path / "a", 1).folder, "good #1": adapter(tmp_path / "b", 2).folder}
    first = between_all(study, ends, tmp_path / "store")
    monkeypatch.setattr("spillover.mechanism.combine.between", None)
    assert between_all(study, ends, tmp_path / "store") == first
