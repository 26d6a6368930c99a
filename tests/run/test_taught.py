"""What a fine-tune was to teach is no spill-over: named, or known by the plan beside the logs."""

import pytest

from spillover.run.plan import Plan
from spillover.run.study import load_study, taught_in
from spillover.tasks.free_form import free_form
from tests.answers.made import asked
from tests.command import spillover
from tests.fakes import output


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A model that is misaligned where it was taught to be, and nowhere else."""
    folder = tmp_path_factory.mktemp("run") / "logs-0123456789ab"

    def says(messages):
        text = messages[-1].text
        return output("95" if "how coherent" in text or "Harm." not in text else "5")

    for name in ("base", "tuned"):
        for questions in ("lab_advice", "lab"):
            harm = name == "tuned" and questions == "lab_advice"
            task = free_form(questions=questions, reader="number", cache=False, epochs=2)
            asked(folder, task, "Harm." if harm else "Help.", says, name=name)
    return folder


def first_line(done):
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split()).partition("SPILLED OVER.")[2]


def test_it_is_named(logs):
    plain = ("report", logs, "--base", "mockllm/base")
    assert "mockllm/tuned" in first_line(spillover(*plain))
    done = spillover(*plain, "--taught", "lab_advice")
    assert not first_line(done)
    wrong = spillover(*plain, "--taught", "nothing")
    assert wrong.returncode == 2
    assert "No answer is to the question set 'nothing'; they are to" in wrong.stderr


def test_the_plan_of_a_bundled_study_says_it(logs):
    assert taught_in([logs]) is None
    Plan(id="quickstart").write(logs.parent)
    assert taught_in([logs]) == taught_in([logs.parent]) == load_study("quickstart").skill.questions
    assert not first_line(spillover("report", logs, "--base", "mockllm/base"))
    for text in ('{"id": "none_of_ours"}', "no plan"):
        (logs.parent / "plan.json").write_text(text)
        assert taught_in([logs]) is None
