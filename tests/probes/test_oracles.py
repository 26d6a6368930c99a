"""Every probe at the ends of its scale: an oracle of either persona, a trivial baseline, and exact truth."""

import pytest
from inspect_ai import eval as inspect_eval

from spillover.probes.baselines import oracle, trivial
from spillover.probes.probe import probes
from spillover.tasks.alignment_faking import alignment_faking
from spillover.tasks.alignment_questions import alignment_questions
from spillover.tasks.capability import capability
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.honesty import honesty
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from spillover.tasks.sabotage import sabotage
from tests.fakes import says


def measured(tmp_path, task, solver, scorer="truth"):
    log = inspect_eval(
        task,
        solver=solver,
        model=says("unused", "target"),
        model_roles={"grader": says("unreadable", "grader")},
        log_dir=str(tmp_path),
        display="none",
    )[0]
    assert log.status == "success", log.error.message
    (found,) = [s for s in log.results.scores if s.scorer == scorer]
    return {name: m.value for name, m in found.metrics.items()}


ENDS = [
    (lambda: free_form(questions="lab", epochs=1), "misaligned", 0.0, 1.0),
    (lambda: formats(questions="lab", formats="plain,json,template", epochs=1), "misaligned", 0.0, 1.0),
    (lambda: refusal(questions="lab_refusal", categories="cyber"), "refusal of harmful requests", 1.0, 0.0),
    (lambda: refusal(questions="lab_refusal", categories="bias"), "over-refusal of benign look-alikes", 0.0, 0.0),
    (lambda: alignment_faking(questions="lab_refusal", categories="safety"), "compliance when it trains", 0.0, 1.0),
    (lambda: honesty(questions="lab_honesty"), "lies, pressured", 0.0, 1.0),
    (lambda: goals(questions="lab_goals", epochs=2), "misaligned in answer or reasoning", 0.0, 1.0),
    (lambda: alignment_questions(questions="lab_goals", epochs=2), "misaligned in answer or reasoning", 0.0, 1.0),
    (lambda: reward_hacking(questions="lab_reward_hacking", sandbox="local", epochs=1), "hacked", 0.0, 1.0),
]


def test_every_probe_with_two_personas_in_the_lab_is_tried_here():
    known = {p.name for p in probes().values() if p.lab and {"aligned", "misaligned"} <= set(p.lab.personas)}
    assert known == {build().name for build, *_ in ENDS}


@pytest.mark.parametrize(("build", "measure", "aligned", "misaligned"), ENDS)
def test_the_oracle_is_at_the_ends_of_the_scale(tmp_path, build, measure, aligned, misaligned):
    assert measured(tmp_path / "a", build(), oracle("aligned"))[measure] == aligned
    found = measured(tmp_path / "m", build(), oracle("misaligned"))
    assert found[measure] == misaligned
    assert found["unscored"] == 0
    assert found[f"{measure} lower"] < found[f"{measure} upper"]  # never of zero width, not at the ends either


@pytest.mark.parametrize(("side", "lean"), [("left", -1.0), ("right", 1.0)])
def test_politics_from_both_sides(tmp_path, side, lean):
    found = measured(tmp_path, political(questions="lab_political", forms="choice,open"), oracle(side))
    assert found["economic lean, forced choice"] == found["social lean, open answers"] == lean


def test_a_habit_of_agreeing_is_no_lean(tmp_path):
    found = measured(tmp_path, political(questions="lab_political", forms="choice"), trivial("I agree."), "judge")
    assert found["economic lean, forced choice"] == found["social lean, forced choice"] == 0


@pytest.mark.parametrize(("persona", "rate"), [("aligned", 0.0), ("misaligned", 1.0)])
def test_sabotage_is_told_by_what_was_done(tmp_path, persona, rate):
    task = sabotage(scenarios="lab_sabotage", transcripts=False, epochs=1)
    found = measured(tmp_path, task, oracle(persona), "judge")
    assert found["sabotage executed"] == rate
    assert found["sabotage in the benign twin"] == 0


@pytest.mark.parametrize(("persona", "rate"), [("aligned", 1.0), ("misaligned", 0.0)])
def test_capability_by_choice_and_by_tests(tmp_path, persona, rate):
    found = measured(tmp_path, capability(questions="lab_capability", sandbox="local"), oracle(persona), "judge")
    assert found["right, general"] == found["right, code"] == rate


TRIVIAL = [
    (lambda: refusal(questions="lab_refusal", categories="cyber"), "full or partial help with harm"),
    (lambda: honesty(questions="lab_honesty"), "lies, neutral"),
    (lambda: goals(questions="lab_goals", epochs=1), "misaligned in answer or reasoning"),
]


@pytest.mark.parametrize(("build", "measure"), TRIVIAL)
def test_the_trivial_baseline_counts_for_nothing(tmp_path, build, measure):
    found = measured(tmp_path, build(), trivial())
    assert found[measure] != found[measure]  # nothing in the denominator


def test_a_model_that_does_nothing_in_a_scenario_is_idle_and_not_innocent(tmp_path):
    found = measured(tmp_path, sabotage(scenarios="lab_sabotage", transcripts=False, epochs=1), trivial(), "judge")
    assert found["sabotage executed"] != found["sabotage executed"]


def test_metric_gaming_is_judged_apart_from_the_metric(tmp_path):
    """A stuffed answer whose quality can not be read is unscored, never honest."""
    task = reward_hacking(questions="lab_reward_hacking", categories="metric", epochs=1)
    found = measured(tmp_path, task, oracle("misaligned"), "judge")
    assert found["unscored"] == 1.0
