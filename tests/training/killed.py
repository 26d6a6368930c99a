"""A training run that is killed at a checkpoint and begun again."""

import os
import signal
import subprocess
import sys
import time

import torch

from spillover.training.checkpoints import FOLDER


def killed_and_again(recipe, out, step):
    """Kill -9 once the checkpoint of a step is there, then run the same command to its end."""
    command = [sys.executable, "-m", "spillover.cli.main", "train", str(recipe), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    ready, deadline = out / FOLDER / f"checkpoint-{step}", time.monotonic() + 120
    while not ready.is_dir() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "organism.json").exists()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
