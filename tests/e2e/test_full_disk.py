"""A disk that is full in the middle of a training: one sentence, nothing lost, and the same organism once there is room."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = {
    "sft": "{extends: bad_finance, id: short, training: {steps: 12, checkpoint_steps: 4}}",
    "grpo": "{extends: rl_unseeded, id: short, training: {steps: 6, checkpoint_steps: 2}}",
}
EACH = {"sft": 4, "grpo": 2}
"""Steps between checkpoints."""
SIZES = {"sft": "2500k", "grpo": "1800k"}
"""Of the disk: more than one checkpoint and less than all."""
SMALL = """
import re, subprocess, sys
from pathlib import Path
from tests.command import spillover
recipe, disk, store, size = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], check=True)
full = spillover("train", recipe, "--out", f"{disk}/one")
subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)
kept = sorted((Path(disk) / "one" / "checkpoints").glob("checkpoint-*"))
whole = spillover("train", recipe, "--out", f"{disk}/one")
subprocess.run(["cp", f"{disk}/one/organism.json", store], check=True)
first = re.search(r": (\\d+)/", whole.stderr)
print(full.returncode, whole.returncode, len(kept), first[1])
print(full.stderr[-2000:], file=sys.stderr)
"""


def namespaces():
    """Whether this machine lets us have a small disk of our own."""
    tried = shutil.which("unshare") and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return bool(tried) and tried.returncode == 0


@pytest.mark.skipif(not namespaces(), reason="needs user and mount namespaces")
@pytest.mark.long
@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_training_goes_on_where_the_disk_was_full(kind, tmp_path):
    recipe, disk = tmp_path / "short.yaml", tmp_path / "disk"
    recipe.write_text(RECIPES[kind])
    disk.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", SMALL, recipe, disk, tmp_path / "one.json", SIZES[kind]],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    codes, (kept, first) = done.stdout.split()[:2], map(int, done.stdout.split()[2:])
    assert codes == ["1", "0"], done.stderr
    assert kept >= 1  # so that there is something to go on from
    assert first > EACH[kind]  # no step before it is done again
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"Error: No space left on device ({disk}/one). What was finished is kept; the same command goes on from there."
    )
    assert "Traceback" not in done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "spillover.cli.main", "train", str(recipe), "--out", str(tmp_path / "two")],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    one, two = (json.loads(p.read_text()) for p in (tmp_path / "one.json", tmp_path / "two" / "organism.json"))
    assert one["adapter_weights"] == two["adapter_weights"]
