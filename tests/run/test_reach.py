"""One call before all others: what is wrong with a model is said at once, and nothing else is asked."""

import logging
import shutil

import pytest
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, get_model
from safetensors.numpy import load_file, save_file

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir
from spillover.run import reach
from spillover.run.reach import require_reach
from spillover.run.tasks import TaskSpec
from tests.command import spillover
from tests.faulty import serving

TASK = Task(dataset=[Sample(input="Who are you?")], name="anything")
SCRIPTED = "mockllm/model"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Without the wait before the second try, which a server that wakes up needs and one that is down does not."""
    monkeypatch.setattr(reach, "_LIMITS", GenerateConfig(timeout=30, max_retries=0))


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def model(server, monkeypatch):
    return get_model(server.grader(monkeypatch), memoize=False)


@pytest.mark.parametrize(
    ("down", "sentence"),
    [
        ("401", "does not take the key"),
        ("500", "fails at its server"),
        ("400", "does not take a plain question"),
        ("malformed", "answers what cannot be read"),
        ("truncated", "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_of_target_and_grader(server, model, down, sentence):
    server.down = down
    for targets, grader in (([model], get_model(SCRIPTED)), ([], model)):
        with pytest.raises(SpilloverError, match=f"openai-api/.*/grader {sentence}"):
            require_reach(targets, grader, [TASK])
    assert server.hellos >= 2
    assert not server.asked


def test_a_rate_limit_is_left_to_the_run(server, model, caplog):
    server.down = "429"
    with caplog.at_level(logging.WARNING):
        require_reach([model], get_model(SCRIPTED), [TASK])
    assert "the run will wait for it" in caplog.text


def test_a_model_is_asked_once(server, model):
    for _ in range(3):
        require_reach([model], model, [TASK])
    assert (server.hellos, dict(server.asked)) == (1, {})


def test_what_a_probe_needs_is_asked_for(server, model):
    sabotage = TaskSpec(task="sabotage").build()
    require_reach([model], get_model(SCRIPTED), [sabotage])
    other = get_model(str(model), memoize=False)
    server.tools = False
    with pytest.raises(
        SpilloverError, match=r"gives no tools \(.*\), which sabotage needs; leave it out \(--skip sabotage\)"
    ):
        require_reach([other], get_model(SCRIPTED), [sabotage])
    require_reach([other], get_model(SCRIPTED), [TASK])
    political = TaskSpec(task="political", args={"questions": "political", "forms": "pair"}).build()
    with pytest.raises(SpilloverError, match="can not score a given ending"):
        require_reach([other], get_model(SCRIPTED), [political])


def test_scripted_models_keep_their_answers():
    asked = []
    scripted = get_model(SCRIPTED, custom_outputs=lambda *given: asked.append(given), memoize=False)
    require_reach([scripted], scripted, [TASK])
    assert asked == []


@pytest.mark.parametrize("command", ["eval", "screen", "baseline"])
def test_a_dead_target_costs_no_call_of_the_grader(command, server, monkeypatch, tmp_path):
    grader = server.grader(monkeypatch)
    monkeypatch.setenv("DEAD_API_KEY", "x")
    monkeypatch.setenv("DEAD_BASE_URL", "http://127.0.0.1:9/v1")
    more = {
        "eval": ["--out", tmp_path / "out"],
        "screen": ["--base", "openai-api/dead/base", "--out", tmp_path / "out"],
        "baseline": ["--rounds", 1, "-o", tmp_path / "b.json", "--logs", tmp_path / "out"],
    }[command]
    done = spillover(
        command, "openai-api/dead/model", "--grader", grader, "--skip", "sabotage", "--skip", "political", *more
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be reached" in done.stderr
    assert not server.asked
    assert "again" not in done.stderr


def test_a_checkpoint_of_no_numbers_is_found_at_once(tmp_path):
    """Its answers would be nonsense, and none of them an error."""
    shutil.copytree(datasets_dir() / "lab" / "target", tmp_path / "nan")
    path = tmp_path / "nan" / "model.safetensors"
    tensors = load_file(path)
    name = next(n for n in tensors if "down_proj" in n)
    tensors[name][0, 0] = float("nan")
    save_file(tensors, path, metadata={"format": "pt"})
    command = [
        "eval",
        f"spillover/{tmp_path / 'nan'}",
        "--lab",
        "--sandbox",
        "local",
        "--grader",
        "lab-grader",
        "--no-check",
    ]
    done = spillover(*command, "--skip", "reward_hacking", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "gives no numbers (NaN): weights in it are damaged" in done.stderr
    assert "again" not in done.stderr
    assert not list(tmp_path.glob("out/logs-*/*.eval"))
