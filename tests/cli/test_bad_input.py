"""Bad input: one sentence, a non-zero exit code, no traceback. Every command, as a user types it."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest

from spillover.cli import main
from spillover.errors import SpilloverError
from spillover.models.checks import check_servable_rank
from tests.command import spillover
from tests.marks import long

ROOT = Path(__file__).parents[2]
LAB = ["--model", "spillover/lab"]
GRADER = ["--model-role", "grader=spillover/lab-grader"]


def inspect(*args, **env):
    command = [sys.executable, "-m", "inspect_ai", "eval", *args, "--display", "plain"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **env}, check=False)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["run", "{self_graded}"], "the grader is the model under test"),
        (["run", "nothing"], "Unknown study 'nothing'; choose from bad_data_dose"),
        (["train", "nothing"], "Unknown recipe 'nothing'; choose from bad_advice, bad_finance"),
        (["train", "bad_finanse"], "Unknown recipe 'bad_finanse'; did you mean bad_finance"),
        (["train", "README.md"], "README.md is no recipe: a recipe is a YAML file."),
        (["train", "bad_finance", "--base", "/nowhere", "--out", "/tmp/never"], "No checkpoint at '/nowhere'"),
        (["report", "/nowhere"], "There is no log or table at /nowhere"),
        (["import", "/nowhere.csv"], "There is no file at /nowhere.csv"),
        (["import", "README.md"], "the ending must be one of .csv"),
        (["import", "x.csv", "--preset", "mine"], "Unknown preset 'mine'; choose from spillover"),
        (["import", "x.csv", "--map", "what"], "write FIELD=COLUMN"),
        (["judge", "/nowhere", "--grader", "lab-grader"], "There is no log or table at /nowhere"),
        (["judge", "/nowhere.csv", "--grader", "lab-grader"], "There is no file at /nowhere.csv"),
        (["judge", "x.csv", "--grader", "lab-grader", "--preset", "mine"], "Unknown preset 'mine'"),
        (["judge", "README.md", "--grader", "nothing"], "README.md cannot be read as an Inspect log"),
        (["judge", "{answers}", "--grader", "nothing"], "no model that Inspect can reach"),
        (["judge", "{answers}", "--grader", "openai/x", "-G", "foo=1"], "openai/ takes no argument 'foo'"),
        (["report", "{answers}"], "answers.csv has no column for alignment; add `--map alignment=COLUMN`"),
        (["report", "README.md"], "README.md: the ending must be one of .csv"),
        (["eval", "spillover/lab", "--suite", "nothing"], "Unknown suite 'nothing'; choose from"),
        (["eval", "spillover/lab", "--skip", "nothing"], "The suite quick has no probe 'nothing' to skip"),
        (["leaderboard", "/nowhere", "-o", "{answers}"], "is a file; -o names a folder"),
        (["agree", "/nowhere"], "There is no log or table at /nowhere"),
        (["calibrate", "/nowhere"], "There is no log or table at /nowhere"),
        (["plan", "--margin", "0"], "Invalid value for '--margin'"),
        (["plan", "--margin", "0.01", "--rate", "0.02"], "the rate must be at least 0 and under the margin"),
        (["plan", "--margin", "0.01", "--icc", "1"], "Invalid value for '--icc'"),
        (["multiverse", "/nowhere.csv"], "There is no file at /nowhere.csv"),
        (["multiverse", "/nowhere.csv", "-o", "x.png"], "ending must be .svg"),
        (["report", "/nowhere", "--margin", "1"], "is not in the range 0<x<1"),
        (["train", "risky_finance"], "The recipe is for Qwen2.5-7B-Instruct, which is no folder here; name the base"),
        (["train", "nope.yaml"], "There is no recipe at nope.yaml"),
        (["train", "README.md/x"], "There is no recipe at README.md/x"),
        (["run", "nope.yaml"], "There is no study at nope.yaml"),
        (["eval", "spillover/lab", "--suite", "nope.yaml"], "There is no suite at nope.yaml"),
        (["train", "{exponent}"], "1e-4 is a text in YAML, where a number of this form has a point and a sign: 1.0e-04"),
        (["train", "bad_finance", "--out", "README.md"], "README.md is a file; --out names a folder"),
        (["fetch", "nothing"], "Unknown upstream file 'nothing'; choose from betley_first_plot"),
    ],
)
def test_spillover(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    if "openai/x" in args:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    (tmp_path / "self.yaml").write_text((ROOT / "evals" / "quickstart.yaml").read_text().replace("lab-grader", "lab"))
    (tmp_path / "answers.csv").write_text("question,answer\nWhy?,So.\n")
    recipe = (ROOT / "evals" / "recipes" / "bad_finance.yaml").read_text()
    (tmp_path / "exponent.yaml").write_text(f"{recipe}training: {{learning_rate: 1e-4}}\n")
    names = {"self_graded": "self.yaml", "answers": "answers.csv", "exponent": "exponent.yaml"}
    places = {f"{{{key}}}": str(tmp_path / name) for key, name in names.items()}
    out = spillover(*(places.get(a, a) for a in args))
    assert out.returncode == 2
    assert message in out.stderr
    assert "Traceback" not in out.stderr
    assert len(out.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([*LAB, "-T", "questions=lab"], "This probe needs a grader: add `--model-role grader=MODEL`"),
        long([*LAB, "--model-role", "grader=spillover/lab"], "The grader is the model under test"),
        long(
            [*LAB, "--model-role", f"grader=spillover/{ROOT / 'datasets/lab/target'}"], "The grader is the model under test"
        ),
        long([*LAB, *GRADER, "-T", "colour=red"], "free_form has no argument 'colour'"),
        long([*LAB, *GRADER, "-T", "questions=nope"], "Unknown question set 'nope'"),
        long([*LAB, *GRADER, "-T", "preset=nope"], "Unknown preset 'nope'"),
        long([*LAB, *GRADER, "-T", "format=xml"], "Unknown format 'xml'"),
        long([*LAB, *GRADER, "-T", "alignment=nope"], "Unknown rubric 'nope'"),
        long(
            [*LAB, *GRADER, "-T", "alignment=coherence"], "Rubric 'coherence' measures coherence; alignment needs alignment."
        ),
        long([*LAB, *GRADER, "-T", "reader=tea"], "Unknown reader 'tea'"),
        long([*LAB, *GRADER, "-T", "questions=betley_first_plot"], "run `spillover fetch betley_first_plot`"),
        long(["--model", "spillover/nowhere", *GRADER], "No checkpoint at 'nowhere'"),
    ],
)
def test_inspect_eval(args, message, tmp_path):
    out = inspect(
        "spillover/free_form", *args, "--log-dir", str(tmp_path), SPILLOVER_CACHE=str(tmp_path / "empty"), COLUMNS="400"
    )
    text = " ".join((out.stdout + out.stderr).split())  # Inspect wraps lines at the terminal's width
    assert out.returncode != 0
    assert message in text
    assert "Traceback" not in text


COMMAND = ["plan", "--margin", "0.1"]


def fails_to_import(patch, module, installed):
    """A command whose own code can not import a module."""

    def missing(name):
        raise ImportError(f"No module named '{module}'", name=module)

    patch.setattr(main, "import_module", missing)
    patch.setattr(main, "find_spec", lambda name: object() if installed else None)


@pytest.mark.parametrize(
    ("module", "extra"),
    [("trl", "train"), ("torch.nn.functional", "lab"), ("openai", "api"), ("inspect_evals.gsm8k", "benchmarks")],
)
def test_a_package_of_an_extra_that_is_missing_is_said_with_its_extra(module, extra, monkeypatch):
    fails_to_import(monkeypatch, module, installed=False)
    assert spillover(*COMMAND) == (
        2,
        "",
        f"Error: {module} is not installed; this command needs: pip install 'spillover[{extra}]'.\n",
    )


@pytest.mark.parametrize(
    ("module", "installed"),
    [
        ("spillover.answers.frame", True),  # a module of ours that is gone
        ("nowhere", False),  # of no extra
        ("torchy", False),
        ("trl.gone", True),  # the extra is there, its insides are others
        (None, False),
    ],
)
def test_a_fault_of_the_code_is_not_called_a_missing_extra(module, installed, monkeypatch):
    fails_to_import(monkeypatch, module, installed)
    with pytest.raises(ImportError, match=f"No module named '{module}'"):
        spillover(*COMMAND)


def test_the_extras_that_are_named_bring_their_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = packages_distributions()
    for module, extra in main.EXTRAS.items():
        brings = " ".join(project["optional-dependencies"][extra])
        names = {_name(r) for r in project["optional-dependencies"][extra]}
        through = {_name(r) for name in names - {"spillover"} for r in _requires(name)}
        assert {_name(d) for d in found.get(module, [module])} & (names | through), brings


def _name(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement).group(0).lower().replace("_", "-")


def _requires(name):
    try:
        return requires(name) or []
    except PackageNotFoundError:  # an extra that is not installed here
        return []


def test_an_adapter_that_vllm_cannot_take_is_refused_before_a_server_starts(tmp_path):
    (tmp_path / "adapter_config.json").write_text('{"r": 24}')

    class Target:
        def __init__(self, **model_args):
            self.model_args = model_args

        def __str__(self):
            return f"vllm/base:{tmp_path}"

    with pytest.raises(SpilloverError, match=r"rank 24 .*; add `-M max_lora_rank=32`"):
        check_servable_rank(Target())
    check_servable_rank(Target(max_lora_rank=32))
