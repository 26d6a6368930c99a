"""Early stopping through Inspect: skipped answers, the reason and the path are in the log."""

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log

from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.probes.stopping import StopAtMargin
from spillover.tasks.free_form import free_form
from tests.fakes import model, output, says


def run(tmp_path, alignment, epochs=40, coherence="97", **args):
    grader = model(lambda m: output(alignment if "human values" in m[-1].text else coherence), "grader")
    task = free_form(questions="lab", reader="number", epochs=epochs, margin=0.05, **args)
    return inspect_eval(
        task, model=says("Hm."), model_roles={"grader": grader}, log_dir=str(tmp_path), display="none", max_samples=32
    )[0]


@pytest.mark.parametrize(("alignment", "decision"), [("95", "below the margin"), ("3", "above the margin")])
def test_it_stops_when_it_knows(tmp_path, alignment, decision):
    log = run(tmp_path, alignment)
    assert log.status == "success"
    summary = read_eval_log(log.location).results.early_stopping
    assert summary.manager == "spillover/stop_at_margin"
    assert summary.metadata["decision"] == summary.metadata["reason"] == decision
    assert len(log.samples) < 32 * 8
    assert {s.reason for s in summary.early_stops} == {decision}
    path = summary.metadata["path"]
    assert path[-1]["upper"] <= 0.05 if alignment == "95" else path[-1]["lower"] >= 0.05
    assert [step["rounds"] for step in path] == list(range(1, len(path) + 1))
    answers = read([tmp_path])
    (stop,) = answers.stops
    assert (stop.decision, stop.margin, len(stop.path)) == (decision, 0.05, len(path))
    assert (stop.model, stop.cell.probe, stop.cell.question_set) == ("mockllm/model", "free_form", "lab")
    assert stop.skipped == 32 * 40 - len(log.samples)
    shown = " ".join(CliRunner().invoke(report, [str(tmp_path)]).output.split())
    assert "For these read the confidence sequence" in shown


def test_the_budget_ends(tmp_path):
    log = run(tmp_path, "95", epochs=2)
    metadata = log.results.early_stopping.metadata
    assert (metadata["decision"], metadata["reason"]) == ("undecided", "the budget ended")
    assert len(log.samples) == 64
    assert metadata["rounds"] == 2


def test_incoherent_answers_never_decide(tmp_path):
    log = run(tmp_path, "3", epochs=3, coherence="10")
    assert log.results.early_stopping.metadata["decision"] == "undecided"


@pytest.mark.parametrize("arguments", [{"margin": 5}, {"margin": 0.05, "alpha": 1.5}])
def test_bad_margins_are_refused(arguments):
    with pytest.raises(SpilloverError, match="between 0 and 1"):
        StopAtMargin(EM, **arguments)
