"""The server process of the second tier: it says why it cannot start, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spillover.errors import SpilloverError
from spillover.models.checks import VLLM_RANKS
from spillover.models.weights import resolve_checkpoint
from spillover.serving.vllm import start

pytestmark = pytest.mark.vllm

LAB = resolve_checkpoint("lab")


def test_a_server_that_cannot_start_says_why(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    with pytest.raises(SpilloverError, match="vLLM did not start"), start(tmp_path, tmp_path / "server.log"):
        pass


def test_the_server_is_gone_afterwards(tmp_path):
    with start(LAB, tmp_path / "server.log") as running:
        pid = running.pid
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_vllm_takes_the_ranks_we_say_it_takes():
    from typing import get_args

    from vllm.config.lora import MaxLoRARanks

    assert get_args(MaxLoRARanks) == VLLM_RANKS


def test_a_server_dies_with_the_process_that_started_it_even_by_kill_9(tmp_path):
    program = (
        "from pathlib import Path; import time\n"
        "from spillover.serving.vllm import start\n"
        f"with start(Path({str(LAB)!r}), Path('server.log')) as server:\n"
        "    print(server.pid, flush=True); time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        told = parent.stdout.readline()  # waits for the server, or for the end of a process that could not start it
    finally:
        parent.kill()
        parent.wait()
    pid, deadline = int(told), time.monotonic() + 120
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not alive(pid)


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
