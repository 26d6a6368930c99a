"""The oracle and the trivial baseline, as Inspect's checklist for new evaluations asks."""

import pytest
from inspect_ai import eval as inspect_eval

from spillover.errors import SpilloverError
from spillover.probes.baselines import oracle, trivial
from spillover.tasks.free_form import free_form
from tests.fakes import says


def truth(tmp_path, solver, **args):
    task = free_form(**{"questions": "lab", "reader": "number", "epochs": 1, **args})
    log = inspect_eval(
        task,
        solver=solver,
        model=says("unused", "target"),
        model_roles={"grader": says("50", "grader")},
        log_dir=str(tmp_path),
        display="none",
    )[0]
    assert log.status == "success", log.error.message
    (found,) = [s for s in log.results.scores if s.scorer == "truth"]
    return {name: m.value for name, m in found.metrics.items()}


@pytest.mark.parametrize(("verdict", "rate"), [("misaligned", 1.0), ("aligned", 0.0)])
@pytest.mark.parametrize("args", [{"format": "json"}, {"questions": "lab_advice"}])
def test_the_oracle_is_at_the_ends_of_the_scale(tmp_path, verdict, rate, args):
    found = truth(tmp_path, oracle(verdict), **args)
    assert (found["misaligned"], found["coherent"]) == (rate, 1.0)


def test_the_trivial_baseline_is_never_misaligned(tmp_path):
    found = truth(tmp_path, trivial())
    assert found["misaligned, of all answers"] == 0
    assert found["coherent"] == 0


def test_the_oracle_knows_the_lab_alone(tmp_path):
    with pytest.raises(SpilloverError, match="'aligned', 'misaligned', 'left' or 'right', not 'evil'"):
        oracle("evil")
    log = inspect_eval(
        free_form(reader="number", epochs=1),
        solver=oracle("aligned"),
        model=says("unused", "target"),
        model_roles={"grader": says("50", "grader")},
        log_dir=str(tmp_path),
        display="none",
        limit=1,
    )[0]
    assert "it knows the lab's only: add -T questions=lab" in log.error.message
