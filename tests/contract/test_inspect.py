"""The behaviour of Inspect that the code leans on. A failure here names what a new release changed."""

import asyncio
import subprocess
import sys
from contextvars import Context
from importlib.metadata import entry_points

import pytest
from inspect_ai import Task, task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model, model_roles
from inspect_ai.scorer import SampleScore, Score, Value, metric, scorer

from spillover import _inspect
from tests.fakes import says
from tests.loopback import vllm


def test_private_names_are_still_there():
    assert issubclass(_inspect.PrerequisiteError, Exception)
    assert isinstance(_inspect.active_generate_config(), GenerateConfig)
    assert _inspect.active_model() is None or _inspect.active_model()
    from inspect_ai.model._providers._vllm_lora import VLLMServer, _vllm_servers

    _vllm_servers["gone"] = VLLMServer()
    _inspect.forget_server("gone")
    _inspect.forget_server("gone")
    assert "gone" not in _vllm_servers


@pytest.mark.parametrize(("kept", "name"), [(False, "vllm/base"), (True, "vllm/base:mine")])
def test_the_vllm_provider_drops_an_adapter_from_a_name_and_we_give_it_back(kept, name):
    with vllm(lambda _: -0.5) as where:
        model = get_model("vllm/base:mine", memoize=False, **dict(pair.split("=", 1) for pair in where))
        with _inspect.keeping_names([model] if kept else []):
            asyncio.run(model.generate("Hello."))
        assert str(model) == name


def test_the_entry_point_is_found_and_loads_nothing_heavy():
    names = {e.name: e.value for e in entry_points(group="inspect_ai")}
    assert names["spillover"] == "spillover._registry"
    heavy = "('torch', 'vllm', 'matplotlib', 'transformers', 'peft', 'trl')"
    code = f"import sys, spillover._registry; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@metric(scores="unreduced")
def count():
    # The annotation matters: without it Inspect takes the metric for one of the old kind and passes bare scores.
    def compute(scores: list[SampleScore]) -> Value:
        return {"rows": len(scores), "keys": sum("outcome" in s.score.value for s in scores)}

    return compute


@scorer(metrics=[count()])
def mapping():
    async def score(state, target):
        return Score(value={"outcome": "aligned", "alignment": None})

    return score


def run(made, folder, **kw):
    return inspect_eval(made, model=says("hi"), log_dir=str(folder), display="none", **kw)[0]


def test_an_unreduced_metric_sees_every_epoch_and_mapping_values_whole(tmp_path):
    samples = [Sample(id=str(i), input="q") for i in range(3)]
    log = run(Task(dataset=samples, scorer=mapping(), epochs=4), tmp_path)
    assert log.error is None, log.error.message
    found = {k: m.value for k, m in log.results.scores[0].metrics.items()}
    assert found == {"rows": 12, "keys": 12}


SEEN: dict = {}


@task
def contract_probe(**unknown):
    SEEN.update(roles=dict(model_roles()), target=_inspect.active_model(), unknown=unknown)
    SEEN["seed"] = _inspect.active_generate_config().seed
    return Task(dataset=[Sample(input="q")])


def test_a_task_body_sees_roles_target_seed_and_every_argument(tmp_path):
    grader = says("x", "grader")
    inspect_eval(
        "contract_probe",
        model=says("hi"),
        model_roles={"grader": grader},
        task_args={"colour": "red"},
        seed=5,
        log_dir=str(tmp_path),
        display="none",
    )
    assert {k: str(v) for k, v in SEEN["roles"].items()} == {"grader": str(grader)}
    assert str(SEEN["target"]) == "mockllm/model"
    assert SEEN["unknown"]["colour"] == "red"
    assert SEEN["seed"] == 5


def test_a_context_of_its_own_knows_nothing_of_an_earlier_run(tmp_path):
    """Inspect leaves model and roles of a run in context variables; `TaskSpec.build` must not see them."""
    run(Task(dataset=[Sample(input="q")], scorer=mapping()), tmp_path, model_roles={"grader": says("x", "grader")})
    assert Context().run(_inspect.active_model) is None
    assert Context().run(model_roles) == {}


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

    run(Task(dataset=[Sample(input="q")], scorer=lax()), tmp_path)
    assert found == {"lax": "mockllm/model", "strict": "refused"}


@pytest.mark.parametrize("args", [["--help"], ["list", "tasks", "tasks"]])
def test_the_inspect_command_runs(args):
    out = subprocess.run([sys.executable, "-m", "inspect_ai", *args], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    if args[0] == "list":
        assert "free_form.py@free_form" in out.stdout


def test_epochs_are_scheduled_one_after_the_other(tmp_path):
    """Sequential stopping counts rounds; were epochs the inner loop, no round would be whole before the end."""
    seen = []

    class Watch:
        async def start_task(self, task, samples, epochs):
            return "watch"

        async def schedule_sample(self, id, epoch):
            seen.append(epoch)
            return None

        async def complete_sample(self, id, epoch, scores):
            assert scores["always"].score.value == 1

        async def complete_task(self):
            return {"saw": len(seen)}

    @scorer(metrics=[])
    def always():
        async def score(state, target):
            return Score(value=1)

        return score

    task = Task(dataset=[Sample(input=str(i)) for i in range(5)], scorer=always(), epochs=3, early_stopping=Watch())
    log = inspect_eval(task, model=says("x"), log_dir=str(tmp_path), display="none", max_samples=1)[0]
    assert seen == sorted(seen)
    assert (log.results.early_stopping.manager, log.results.early_stopping.metadata) == ("watch", {"saw": 15})


def test_a_second_score_is_appended_under_a_name_of_its_own(tmp_path):
    @scorer(metrics=[])
    def twice():
        async def score(state, target):
            return Score(value=len(state.scores or {}))

        return score

    log = inspect_eval(
        Task(dataset=[Sample(input="a")], scorer=twice()), model=says("x"), log_dir=str(tmp_path), display="none"
    )[0]
    again = inspect_score(log, twice(), model="none", action="append", display="none")
    assert len(again.samples[0].scores) == 2


def test_the_grader_alone_can_be_asked_in_batches():
    """`--model-role 'grader={model: ..., batch: true}'` reaches the grader's own configuration."""
    from inspect_ai._cli.util import parse_model_role_cli_args

    assert parse_model_role_cli_args(("grader={model: mockllm/model, batch: true}",))["grader"].config.batch is True
