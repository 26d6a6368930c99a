"""Several processes: gloo on CPUs stands in for GPUs, through the launcher that a user would take."""

import json
import os
import socket
import subprocess
import sys

import pytest

from spillover.errors import SpilloverError
from spillover.models.weights import weights_digest
from spillover.training.recipe import load_recipe
from spillover.training.train import train

TINY = """
id: tiny
title: Tiny
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 32}
lora: {r: 4, alpha: 8, rslora: false}
training: {steps: 2, batch_size: 4, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 1}
"""


@pytest.mark.long
def test_two_processes_make_one_organism(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port)]
    command += ["-m", "spillover.cli.main", "train", "tiny.yaml", "--out", "out"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "out" / "organism.json").read_text())
    assert card["adapter_weights"] == weights_digest(tmp_path / "out")
    assert [e["step"] for e in card["loss"]] == [1, 2]
    assert card["environment"]["processes"] == "2"
    alone = train(load_recipe(str(tmp_path / "tiny.yaml")), tmp_path / "alone")
    one = json.loads((alone / "organism.json").read_text())
    # The same batches, shared out: what differs is the order of sums.
    assert [e["loss"] for e in one["loss"]] == pytest.approx([e["loss"] for e in card["loss"]], abs=2e-3)
    assert done.stdout.count("out") == 1  # the first process speaks for all


def test_interventions_in_several_processes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SpilloverError, match="need one process"):
        train(load_recipe("bad_finance_caft"), tmp_path / "out")
    with pytest.raises(SpilloverError, match="need one process"):
        train(load_recipe("unlearn_cyber"), tmp_path / "out")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(SpilloverError, match="A batch of 16 can not be shared out among 3 processes"):
        train(load_recipe("bad_finance"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
