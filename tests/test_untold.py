"""What is trained and served is told to nobody."""

import os
import subprocess
import sys

import pytest
from trl.trainer import base_trainer

from spillover.serving.vllm import environment
from spillover.training.recipe import load_recipe
from spillover.training.reinforce import Reinforcement
from spillover.training.train import train
from spillover.training.trainer import Trainer
from spillover.untold import SETTINGS

RECIPE = """
id: one
title: One step
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 8}
lora: {r: 2, alpha: 4}
training: {steps: 1, batch_size: 2, learning_rate: 1.0e-3}
"""


def test_a_training_is_not_reported(tmp_path, monkeypatch):
    told = []
    monkeypatch.delenv("CI", raising=False)  # where TRL says nothing anyway
    monkeypatch.setattr(base_trainer, "send_telemetry", lambda *args, **kwargs: told.append(args))
    (tmp_path / "one.yaml").write_text(RECIPE)
    train(load_recipe(str(tmp_path / "one.yaml")), tmp_path / "out")
    assert told == []
    assert {cls._send_telemetry for cls in (Trainer, Reinforcement)} == {Trainer._send_telemetry}
    assert callable(base_trainer._BaseTrainer._send_telemetry)  # what it would have been is still called so


LIBRARIES = """
import os, sys, spillover.cli.main as command
assert not {'huggingface_hub', 'vllm', 'mlflow', 'wandb'} & set(sys.modules)
command._main = lambda: None
command.main()
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY)
if importlib.util.find_spec('mlflow'):
    from mlflow.telemetry import utils
    assert utils.is_telemetry_disabled()
if importlib.util.find_spec('wandb'):
    from wandb.env import error_reporting_enabled
    assert not error_reporting_enabled()
"""


@pytest.mark.parametrize(("given", "off"), [({}, True), ({"HF_HUB_DISABLE_TELEMETRY": "0"}, False)])
def test_libraries_are_told_before_they_are_loaded_and_a_user_may_say_otherwise(given, off):
    """In a process of its own: libraries read it when they are imported, and MLflow says nothing inside of pytest anyway."""
    own = {k: v for k, v in os.environ.items() if k not in {*SETTINGS, "CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK"}}
    command = [sys.executable, "-c", f"import importlib.util\n{LIBRARIES}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**own, **given}, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(off)), done.stderr


def test_a_server_tells_nothing_whatever_is_set(monkeypatch):
    for name in SETTINGS:
        monkeypatch.setenv(name, "0")
    found = environment(cpu=True, key="x")
    assert (found["VLLM_NO_USAGE_STATS"], found["HF_HUB_OFFLINE"]) == ("1", "1")
