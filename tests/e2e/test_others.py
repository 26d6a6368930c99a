"""Tasks of another package in a suite: installed as pip would, asked and reported beside ours."""

import importlib
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from spillover.paths import datasets_dir
from tests.command import spillover

TASKS = """
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import accuracy, includes, stderr


@task
def greetings(word: str = "e", n: int = 8):  # no return annotation: Inspect hands such a function back uncalled
    async def tidied(state):
        pass

    samples = [Sample(input=f"Say something about {i}.", target=word) for i in range(n)]
    return Task(dataset=MemoryDataset(samples), scorer=includes(), cleanup=tidied, version=3)


@task
def offline() -> Task:
    raise ConnectionError("the hub cannot be reached")
"""
SUITE = """
id: mixed
version: "1"
title: Mixed
about: For this test.
probes:
  - {task: capability, args: {categories: [general]}, every: 4, lab: {questions: lab_capability}}
  - {task: toy_evals/greetings, args: {word: e}, every: 2}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The current folder, beside which the package is installed."""
    folder = tmp_path_factory.mktemp("others")
    (folder / "site-packages" / "toy_evals").mkdir(parents=True)
    (folder / "site-packages" / "toy_evals" / "__init__.py").write_text(TASKS)
    info = folder / "site-packages" / "toy_evals-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_evals\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[inspect_ai]\ntoy_evals = toy_evals\n")
    (info / "top_level.txt").write_text("toy_evals\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder / "site-packages")
        patch.chdir(folder)
        importlib.invalidate_caches()
        importlib.import_module("toy_evals")  # Inspect looks for what is installed once in a process
        yield folder
        sys.modules.pop("toy_evals")


def test_another_packages_task_is_asked_and_reported_beside_ours(place):
    (place / "mixed.yaml").write_text(SUITE)
    command = [sys.executable, "-m", "spillover.cli.main", "eval", "spillover/lab", "--suite", "mixed.yaml", "--out", "out"]
    own = {**os.environ, "PYTHONPATH": str(place / "site-packages")}
    found = subprocess.run(command, capture_output=True, text=True, timeout=400, env=own, check=False)
    assert found.returncode == 0, found.stderr
    rows = pd.read_csv(place / "out" / "figures.csv").set_index(["probe", "measure"])
    assert rows.loc[("toy_evals/greetings (word=e)", "accuracy"), "n"] == 4
    assert rows.loc[("toy_evals/greetings (word=e)", "accuracy"), "value"] == 1  # the lab's model says "e" sooner or later
    assert rows.loc[("capability", "right, general"), "n"] == 4
    (logs,) = (place / "out").glob("logs-*")
    only = next(logs.glob("*greetings*.eval"))
    alone = spillover("report", only, "-o", "alone.html")
    assert alone.returncode == 0, alone.stderr
    assert "Other tasks" in alone.stdout
    assert "toy_evals/greetings" in (place / "alone.html").read_text()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{task: nowhere_evals/gsm8k}", "No installed package has the Inspect task nowhere_evals/gsm8k"),
        ("{task: toy_evals/nothing}", "No installed package has the Inspect task toy_evals/nothing"),
        ("{task: toy_evals/greetings, gate: true}", "has no gate"),
        ("{task: toy_evals/greetings, args: {colour: red}}", "toy_evals/greetings can not be built: TypeError"),
        ("{task: toy_evals/offline}", "ConnectionError, the hub cannot be reached"),
    ],
)
def test_what_can_not_be_built_is_one_sentence(place, entry, sentence):
    (place / "bad.yaml").write_text(SUITE.split("  - ")[0] + "  - " + entry + "\n")
    found = spillover("eval", "spillover/lab", "--suite", "bad.yaml", "--out", "bad")
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    assert sentence in " ".join(found.stderr.split())


def test_a_screen_leaves_it_out_and_says_so(place):
    (place / "mixed.yaml").write_text(SUITE.replace("{task: capability", "{task: capability, gate: false"))
    text = (place / "mixed.yaml").read_text() + "  - {task: honesty, every: 4, lab: {questions: lab_honesty}}\n"
    (place / "screened.yaml").write_text(text)
    copied = shutil.copytree(datasets_dir() / "lab" / "target", place / "other")
    tensors = load_file(copied / "model.safetensors")
    save_file(
        {k: v + (k == "model.norm.weight") * 1e-3 for k, v in tensors.items()},
        copied / "model.safetensors",
        {"format": "pt"},
    )
    found = spillover(
        "screen", f"spillover/{copied}", "--base", "spillover/lab", "--suite", "screened.yaml", "--lab", "--dry-run"
    )
    assert found.returncode == 0, found.stderr
    assert "toy_evals/greetings" in found.stdout + found.stderr
