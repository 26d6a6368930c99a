"""What is said of the probes agrees with what they are."""

import re
from contextvars import Context
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from spillover.answers.rules import rubrics_of, rule_of
from spillover.errors import SpilloverError
from spillover.judging.attacks import attacks
from spillover.judging.rubric import load_rubric
from spillover.paths import datasets_dir, evals_dir
from spillover.probes.probe import get_probe, probes
from spillover.questions.load import bundled_sets, load_questions
from spillover.run.suite import bundled_suites, load_suite, suite_specs
from spillover.situations.scenario import load_scenarios
from spillover.tasks import __path__ as tasks_path
from spillover.tasks.judge_check import known_set
from spillover.tasks.reward_hacking import reward_hacking

PROBES = list(probes().values())
LOADED = {"questions": load_questions, "scenarios": load_scenarios, "attacks": lambda name: attacks(), "golden": known_set}
SUITES = ("quick", "standard", "full")


def module_of(probe):
    return import_module(f"spillover.tasks.{probe.name}")


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name)
def test_every_probe_is_described_as_it_is(probe):
    module = module_of(probe)
    build = getattr(module, probe.name)
    assert build.__doc__
    assert f"inspect eval spillover/{probe.name} " in module.__doc__
    assert re.fullmatch(r"[1-9]\d*-[A-Z]", probe.version)
    assert probe.title
    assert probe.about.endswith((".", "?"))
    assert probe.tags
    assert get_probe(probe.name) is probe


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name)
def test_the_data_of_every_probe_load(probe):
    assert LOADED[probe.source](probe.data)
    several = probe.source == "golden"
    assert list((datasets_dir() / probe.data).glob("*.yaml" if several else f"{probe.source}.yaml"))
    default = signature(getattr(module_of(probe), probe.name)).parameters[probe.source].default
    assert default in (probe.data, None)
    if probe.lab is not None:
        chosen = LOADED[probe.source](probe.lab.data)
        assert chosen.lab
        assert not LOADED[probe.source](probe.data).lab


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name)
def test_rubrics_and_rules_of_every_probe_are_there(probe):
    defaults = {role: place for role, place in probe.roles.items() if place.rubric}
    assert rubrics_of(probe.name) == {role: place.rubric for role, place in defaults.items()}
    assert rule_of(probe.name) is probe.rule
    for place in defaults.values():
        rubric = load_rubric(place.rubric)
        assert rubric.measures in place.measures
        assert set(rubric.slots) <= set(place.fields)


@pytest.mark.parametrize("probe", PROBES, ids=lambda p: p.name)
def test_measures_have_names_of_their_own_and_count_what_is_in_their_denominator(probe):
    names = [m.name for m in probe.measures]
    assert len(set(names)) == len(names)
    for measure in probe.measures:
        assert measure.mean or measure.count
        assert not measure.among or set(measure.count) <= set(measure.among)
    if probe.gate is not False:
        gate = probe.measures[0] if probe.gate is True else next(m for m in probe.measures if m.name == probe.gate)
        assert gate.gateable


def test_no_probe_is_left_out():
    files = {p.stem for p in Path(tasks_path[0]).glob("*.py")} - {"__init__"}
    assert files == {p.name for p in PROBES}
    asked = {entry.task for name in bundled_suites() for entry in load_suite(name).entries}
    assert files - asked == {"judge_attack", "judge_check"}


def test_an_unknown_probe_is_named_with_those_that_are_there():
    with pytest.raises(SpilloverError, match="no probe called 'nothing'; choose from alignment_faking, "):
        get_probe("nothing")


def test_every_question_set_loads_and_has_a_card():
    for name in bundled_sets():
        assert load_questions(name).questions
        assert (datasets_dir() / name / "README.md").is_file()


def test_the_refusal_set_is_as_large_as_promised():
    for name, harmful, benign in (("refusal", 40, 20), ("lab_refusal", 40, 20)):
        for domain in ("cyber", "safety", "toxicity", "bias", "sensitive", "medlegal", "privacy"):
            chosen = [q for q in load_questions(name).questions if q.category == domain]
            count = {k: sum(len(q.paraphrases) for q in chosen if q.fields["kind"] == k) for k in ("harmful", "benign")}
            assert count["harmful"] >= harmful
            assert count["benign"] >= benign
            assert {q.fields["split"] for q in chosen} == {"train", "eval"}
    texts = [(t, q.fields["split"]) for q in load_questions("refusal").questions for t in q.paraphrases]
    assert not {t for t, s in texts if s == "train"} & {t for t, s in texts if s == "eval"}


def built(name, lab, skip=()):
    return [spec.given(seed=0).build() for spec in suite_specs(load_suite(name), lab, skip)]


@pytest.mark.parametrize("name", SUITES)
def test_every_suite_can_be_built_for_the_lab(name):
    tasks = built(name, lab=True)
    assert [t.name for t in tasks] == [e.task for e in load_suite(name).entries]
    for task in tasks:
        assert len(task.dataset)
        assert task.metadata["question_set"] == get_probe(task.name).lab.data
        assert task.metadata["seed"] == 0


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_what_the_probes_declare(name):
    declared = [(p.name, length) for p in PROBES for length in p.lengths(name)]
    specs = suite_specs(load_suite(name), lab=False)
    assert [(s.task, s.args, s.every) for s in specs] == [(n, length.args, length.every) for n, length in declared]
    in_the_lab = suite_specs(load_suite(name), lab=True)
    for spec, (probe, length) in zip(in_the_lab, declared, strict=True):
        own = {get_probe(probe).source: get_probe(probe).lab.data}
        assert spec.args == {**length.args, **own, **length.lab}


def test_the_quick_suite_can_be_built_for_other_models():
    assert all(len(t.dataset) for t in built("quick", lab=False))


def test_a_length_of_a_suite_can_have_several_entries():
    """Sabotage is asked with and without the policy that denies it, which are two conditions."""
    tasks = [t for t in built("full", lab=True) if t.name == "sabotage"]
    assert [t.metadata["condition"]["setting"] for t in tasks] == ["", "approval deny"]


def test_thinning_keeps_whole_questions():
    whole = {t.name: t for t in built("standard", lab=True)}
    (some,) = (t for t in built("quick", lab=True) if t.name == "honesty")
    kept = {s.metadata["question_id"] for s in some.dataset}
    assert len(kept) == 8
    assert len(some.dataset) == len([s for s in whole["honesty"].dataset if s.metadata["question_id"] in kept])


def test_bad_suites_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(SpilloverError, match="choose from full, quick, standard"):
        load_suite("tiny")
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\nversion: '1'\ntitle: t\nabout: a\nprobes: [{task: nothing}]\n")
    with pytest.raises(SpilloverError, match="no probe called 'nothing'"):
        load_suite(str(path))
    path.write_text("id: mine\nversion: '1'\ntitle: t\nabout: a\n")
    with pytest.raises(SpilloverError, match="no probe has a length for the suite 'mine'; name its probes"):
        load_suite(str(path))
    with pytest.raises(SpilloverError, match="has no probe 'nothing' to skip"):
        suite_specs(load_suite("quick"), lab=True, skip=["nothing"])
    every = [entry.task for entry in load_suite("quick").entries]
    with pytest.raises(SpilloverError, match="Every probe of the suite quick is skipped"):
        suite_specs(load_suite("quick"), lab=True, skip=every)
    assert (evals_dir() / "suites").is_dir()


def test_code_is_run_nowhere_unless_a_sandbox_was_chosen():
    with pytest.raises(SpilloverError, match="choose sandbox=docker"):
        Context().run(reward_hacking)  # in a context of its own: another test's eval may have left a target active
