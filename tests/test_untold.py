"""What is trained and served is told to nobody."""

import os
import subprocess
import sys

from trl.trainer import base_trainer

from spillover.cli.main import UNTOLD
from spillover.training.recipe import load_recipe
from spillover.training.reinforce import Reinforcement
from spillover.training.train import train
from spillover.training.trainer import Trainer

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
    trainer = object.__new__(Trainer)
    trainer._send_telemetry()  # and what it would have been is still called so
    assert callable(base_trainer._BaseTrainer._send_telemetry)


def test_the_command_says_so_to_libraries_before_they_are_loaded_and_a_user_may_say_otherwise():
    code = (
        "import os, sys, spillover.cli.main as m\n"
        "assert not {'huggingface_hub', 'vllm'} & set(sys.modules)\n"
        "m._main = lambda: print(*(os.environ[n] for n in m.UNTOLD))\n"
        "m.main()"
    )
    own = {k: v for k, v in os.environ.items() if k not in UNTOLD}
    for given, said in (({}, "1 1"), ({"HF_HUB_DISABLE_TELEMETRY": "0"}, "0 1")):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**own, **given}, check=True)
        assert done.stdout.strip() == said
