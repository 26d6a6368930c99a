"""What is said of the probes agrees with what they are."""

from contextvars import Context
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir, evals_dir
from spillover.questions.load import bundled_sets, load_questions
from spillover.run.suite import bundled_suites, load_suite, suite_tasks
from spillover.tasks import __path__ as tasks_path

ENTRIES = yaml.safe_load((Path(tasks_path[0]) / "eval.yaml").read_text())["probes"]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e["task"])
def test_every_probe_is_described_as_it_is(entry):
    module = import_module(f"spillover.tasks.{entry['task']}")
    assert entry["version"] == module.VERSION
    assert getattr(module, entry["task"]).__doc__
    assert f"inspect eval spillover/{entry['task']}" in module.__doc__
    names = {"questions": "questions.yaml", "scenarios": "scenarios.yaml", "attacks": "attacks.yaml"}
    (key,) = set(names) & set(entry)
    assert (datasets_dir() / entry[key] / names[key]).is_file()


def test_no_probe_is_left_out():
    files = {p.stem for p in Path(tasks_path[0]).glob("*.py")} - {"__init__"}
    assert files == {e["task"] for e in ENTRIES}
    full = {entry.task for name in bundled_suites() for entry in load_suite(name).entries}
    assert files - full == {"judge_attack"}


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


@pytest.mark.parametrize("name", ["quick", "standard", "full"])
def test_every_suite_can_be_built_for_the_lab(name):
    tasks = suite_tasks(load_suite(name), lab=True, seed=0)
    assert [t.name for t in tasks] == [e.task for e in load_suite(name).entries]
    assert all(len(t.dataset) for t in tasks)


def test_the_quick_suite_can_be_built_for_other_models():
    assert all(len(t.dataset) for t in suite_tasks(load_suite("quick"), lab=False, seed=0))


def test_thinning_keeps_whole_questions():
    whole = suite_tasks(load_suite("standard"), lab=True, seed=0)
    some = suite_tasks(load_suite("quick"), lab=True, seed=0)
    by_name = {t.name: t for t in whole}
    for task in some:
        if task.name == "honesty":
            kept = {s.metadata["question_id"] for s in task.dataset}
            assert len(kept) == 8
            assert len(task.dataset) == len([s for s in by_name["honesty"].dataset if s.metadata["question_id"] in kept])


def test_bad_suites_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(SpilloverError, match="choose from full, quick, standard"):
        load_suite("tiny")
    path = tmp_path / "mine.yaml"
    path.write_text("id: mine\nversion: '1'\ntitle: t\nabout: a\nprobes: [{task: nothing}]\n")
    with pytest.raises(SpilloverError, match="no probe called 'nothing'"):
        load_suite(str(path))
    with pytest.raises(SpilloverError, match="has no probe 'nothing' to skip"):
        suite_tasks(load_suite("quick"), lab=True, seed=0, skip=["nothing"])
    every = [entry.task for entry in load_suite("quick").entries]
    with pytest.raises(SpilloverError, match="Every probe of the suite quick is skipped"):
        suite_tasks(load_suite("quick"), lab=True, seed=0, skip=every)
    assert (evals_dir() / "suites").is_dir()


def test_code_is_run_nowhere_unless_a_sandbox_was_chosen():
    from spillover.tasks.reward_hacking import reward_hacking

    with pytest.raises(SpilloverError, match="choose sandbox=docker"):
        Context().run(reward_hacking)  # in a context of its own: another test's eval may have left a target active
