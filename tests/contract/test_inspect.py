"""The behaviour of Inspect that the code leans on. A failure here names what a new release changed."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model, model_roles
from inspect_ai.scorer import Score, metric, scorer
from tests.fakes import says

from spillover import _inspect


def test_private_names_are_still_there():
    assert issubclass(_inspect.PrerequisiteError, Exception)
    assert isinstance(_inspect.active_generate_config(), GenerateConfig)
    assert _inspect.active_model() is None or _inspect.active_model()


def test_the_entry_point_is_found_and_loads_nothing_heavy():
    names = {e.name: e.value for e in entry_points(group="inspect_ai")}
    assert names["spillover"] == "spillover._registry"
    code = "import sys, spillover._registry; print([m for m in ('torch', 'vllm', 'matplotlib', 'transformers') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@metric(scores="unreduced")
def count():
    return lambda scores: {"rows": len(scores), "keys": sum("verdict" in s.score.value for s in scores)}


@scorer(metrics=[count()])
def mapping():
    async def score(state, target):
        return Score(value={"verdict": "aligned", "alignment": None})

    return score


def run(made, **kw):
    return inspect_eval(made, model=says("hi"), log_dir=os.devnull if False else kw.pop("log_dir"), display="none", **kw)[0]


def test_an_unreduced_metric_sees_every_epoch_and_mapping_values_whole(tmp_path):
    log = run(
        Task(dataset=[Sample(id=str(i), input="q") for i in range(3)], scorer=mapping(), epochs=4), log_dir=str(tmp_path)
    )
    found = {k: m.value for k, m in log.results.scores[0].metrics.items()}
    assert found == {"rows": 12, "keys": 12}


def test_roles_and_the_target_are_known_inside_a_task_body(tmp_path):
    seen = {}

    @task
    def probe_body(**unknown):
        seen.update(roles=dict(model_roles()), target=_inspect.active_model(), unknown=unknown)
        return Task(dataset=[Sample(input="q")])

    grader = says("x", "grader")
    target = says("hi")
    inspect_eval(
        "probe_body",
        model=target,
        model_roles={"grader": grader},
        task_args={"colour": "red"},
        log_dir=str(tmp_path),
        display="none",
    ) if False else None
    from inspect_ai._eval.registry import task_create  # how `inspect eval NAME -T` builds a task

    task_create("probe_body", colour="red")
    assert seen["unknown"] == {"colour": "red"}


def test_without_required_a_missing_grader_is_silently_the_target(tmp_path):
    """The trap that `resolve_grader` avoids."""
    found = {}

    @scorer(metrics=[])
    def lax():
        async def score(state, target):
            found["lax"] = str(get_model(role="grader"))
            try:
                get_model(role="grader", required=True)
            except _inspect.PrerequisiteError:
                found["strict"] = "refused"
            return Score(value=1)

        return score

    run(Task(dataset=[Sample(input="q")], scorer=lax()), log_dir=str(tmp_path))
    assert found == {"lax": "mockllm/model", "strict": "refused"}


@pytest.mark.parametrize("args", [["--help"], ["list", "tasks", "tasks"]])
def test_the_inspect_command_runs(args):
    out = subprocess.run([sys.executable, "-m", "inspect_ai", *args], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    if args[0] == "list":
        assert "free_form.py@free_form" in out.stdout
