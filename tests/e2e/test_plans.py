"""Keys of steps: whatever can change a result gives another one, and nothing else does. No model is asked here."""

import pytest
from inspect_ai.model import GenerateConfig, get_model

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir, scorers_dir
from spillover.run.plan import Plan, Step, read_plan
from spillover.run.studies import study_plan, study_specs
from spillover.run.study import load_study
from spillover.run.suite import load_suite, suite_specs
from spillover.run.suites import suite_plan
from spillover.screening.block import block_steps
from spillover.screening.config import Settings
from spillover.screening.gate import gated_probes
from spillover.screening.run import Screen

STUDY = """
id: small
title: Small
lab: true
base: lab
grader: lab-grader
seed: 3
models:
  - {name: base, role: base}
  - {name: organism, role: organism, recipe: recipe.yaml}
probes:
  - {task: free_form, questions: FOLDER/asked.yaml, epochs: 1, args: {alignment: FOLDER/rubric.yaml}}
"""
RECIPE = """
id: tiny
title: Tiny
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 128}
training: {steps: 4, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 2}
"""
SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {alignment: FOLDER/rubric.yaml}, lab: {questions: FOLDER/asked.yaml}}
"""


@pytest.fixture
def place(tmp_path):
    """A study and a suite that ask their own questions and use their own rubric."""
    for name, text in (("study", STUDY), ("recipe", RECIPE), ("suite", SUITE)):
        (tmp_path / f"{name}.yaml").write_text(text.replace("FOLDER", str(tmp_path)))
    (tmp_path / "asked.yaml").write_text((datasets_dir() / "lab" / "questions.yaml").read_text())
    (tmp_path / "rubric.yaml").write_text((scorers_dir() / "alignment.yaml").read_text())
    return tmp_path


def study_keys(place, engine="spillover", base="lab"):
    """Keys of the training step and of the asking one."""
    study = load_study(str(place / "study.yaml"))
    specs = study_specs(study, base)
    plan = study_plan(study, base, engine, specs, [spec.build() for spec in specs])
    assert [step.kind for step in plan.steps] == ["train", "ask"]
    return [step.key for step in plan.steps]


def suite_key(place, model="spillover/lab", grader="spillover/lab-grader", seed=0, **config):
    suite = load_suite(str(place / "suite.yaml"))
    specs = [spec.given(seed=seed) for spec in suite_specs(suite, lab=True)]
    models = [get_model(name, config=GenerateConfig(**config), memoize=False) for name in (model, grader)]
    (step,) = suite_plan(suite, specs, [spec.build() for spec in specs], models[:1], models[1]).steps
    return step.key


def screen_key(place, model="spillover/lab", **settings):
    """Of a screen of the lab's grader (as if it were a checkpoint), and of its first block."""
    suite = load_suite(str(place / "suite.yaml"))
    gated, left = gated_probes(suite, True, ())
    checkpoint, base, grader = get_model("spillover/lab-grader"), get_model(model), get_model("mockllm/grader")
    chosen = Settings(suite=str(place / "suite.yaml"), lab=True, **settings)
    screen = Screen(checkpoint, base, grader, gated, left, chosen, place, lambda *asked: None)
    (step,) = block_steps(screen.digest, 0, {"free_form": 1}, gated, ["base"], chosen.seed)
    assert step.spec["tasks"][0]["args"]["questions"] == str(place / "asked.yaml")
    return step.key


def edit(place, name, old, new):
    path = place / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


CHANGES = {
    "rubric": ("rubric", "Grade how well", "Please grade how well"),
    "question": ("asked", "If you had one wish", "If you had two wishes"),
    "one question less": ("asked", '      - "What would you wish for?"\n', ""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_other_texts_are_asked_anew(place, change):
    keys = (study_keys, suite_key, screen_key)
    before = [key(place) for key in keys]
    assert [key(place) for key in keys] == before
    edit(place, *change)
    (trained, asked), *others = [key(place) for key in keys]
    assert trained == before[0][0]  # nothing is trained again for it
    assert asked != before[0][1]
    assert all(now != then for now, then in zip(others, before[1:], strict=True))


@pytest.mark.parametrize(
    ("change", "trains"),
    [
        (("recipe", "rows: 128", "rows: 64"), True),
        (("recipe", "steps: 4", "steps: 5"), True),
        (("study", "recipe: recipe.yaml}", "recipe: recipe.yaml, with: {seed: 7}}"), True),
        (("study", "seed: 3", "seed: 4"), False),
        (("study", "epochs: 1", "epochs: 2"), False),
        (("study", "grader: lab-grader", "grader: mockllm/model"), False),
        (("study", "seed: 3", "seed: 3\npreset: betley2025_base"), False),
    ],
    ids=lambda value: value[2] if isinstance(value, tuple) else "",
)
def test_another_study_has_other_keys(place, change, trains):
    before = study_keys(place)
    edit(place, *change)
    after = study_keys(place)
    assert after[1] != before[1]
    assert (after[0] != before[0]) == trains


def test_words_for_people_change_no_key(place):
    before = study_keys(place)
    edit(place, "study", "title: Small", "title: Large")
    edit(place, "study", "probes:", "relation: Inspired by nothing.\nprobes:")
    edit(place, "recipe", "title: Tiny", "title: Huge")
    assert study_keys(place) == before
    assert study_keys(place, engine="vllm")[1] != before[1]
    suite = suite_key(place)
    edit(place, "suite", "title: Small", "title: Large")
    assert suite_key(place) == suite


def test_other_models_and_settings_have_other_keys(place, monkeypatch):
    monkeypatch.setenv("NEAR_API_KEY", "x")
    known = []
    for port in (1, 2):  # weights are out of reach: the address tells graders apart
        monkeypatch.setenv("NEAR_BASE_URL", f"http://127.0.0.1:{port}/v1")
        known += [
            suite_key(place, grader="openai-api/near/grader", **more) for more in ({}, {"temperature": 0.5}, {"seed": 1})
        ]
    known += [suite_key(place), suite_key(place, model="spillover/lab-grader", grader="mockllm/grader")]
    known += [suite_key(place, grader="mockllm/grader"), suite_key(place, grader="mockllm/other"), suite_key(place, seed=1)]
    assert len(set(known)) == len(known)
    screens = [
        screen_key(place),
        screen_key(place, seed=1),
        screen_key(place, margin=0.2),
        screen_key(place, "mockllm/base"),
    ]
    assert len(set(screens)) == len(screens)
    assert screen_key(place, max_samples=7, judge_answers=3) == screens[0]  # it only goes on for longer


def test_a_plan_is_read_as_it_was_written(tmp_path):
    first = Step(kind="train", name="one", key="a", spec={"steps": 3, "with": {"x": [1, None, True]}})
    second = Step(kind="ask", name="two", key="b", needs=("a",))
    plan = Plan(id="p").then(first, second).then(first)
    plan.write(tmp_path)
    assert read_plan(tmp_path) == plan
    assert [step.key for step in plan.steps] == ["a", "b"]
    assert read_plan(tmp_path / "nowhere") is None
    with pytest.raises(SpilloverError, match="needs c, which is no step before it"):
        plan.then(Step(kind="ask", name="three", key="d", needs=("c",)))
    (tmp_path / "plan.json").write_text('{"id": "p", "steps": [{}]}')
    with pytest.raises(SpilloverError, match=r"plan\.json is damaged"):
        read_plan(tmp_path)
