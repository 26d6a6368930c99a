"""One command from recipe to report, killed and resumed, as a user would meet it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

SMALL = """
id: small
title: Small
lab: true
base: lab
grader: lab-grader
seed: 3
models:
  - {name: base, role: base}
  - {name: organism, role: organism, recipe: RECIPE}
probes:
  - {task: free_form, questions: lab, formats: [plain, json], epochs: 2}
"""

RECIPE = """
id: tiny
title: Tiny
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 128}
lora: {r: 8, alpha: 16, rslora: false}
training: {steps: 12, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 2}
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spec")
    (folder / "tiny.yaml").write_text(RECIPE)
    path = folder / "small.yaml"
    path.write_text(SMALL.replace("RECIPE", str(folder / "tiny.yaml")))
    return path


def command(spec: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "spillover.cli.main", "run", str(spec), "--out", str(out)]


@pytest.fixture(scope="module")
def finished(spec, tmp_path_factory):
    """A run that was killed twice without warning, in training and in evaluation, and then finished."""
    out = tmp_path_factory.mktemp("run") / "out"
    for sign in (lambda: (out / "organisms").exists(), lambda: any(out.glob("logs-*/*.eval"))):
        process = subprocess.Popen(
            command(spec, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while not sign() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run(command(spec, out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return out, done.stdout


def test_after_kill_nine_nothing_is_lost_or_counted_twice(finished):
    frame = pd.read_parquet(finished[0] / "answers.parquet")
    keys = frame[["model", "format", "sample_id", "epoch"]]
    assert len(frame) == len(keys.drop_duplicates()) == 2 * 2 * 32 * 2
    assert set(frame["model"]) == {"base", "organism"}


def test_table_and_report_say_the_same(finished):
    out, text = finished
    html = (out / "report.html").read_text(encoding="utf-8")
    assert "Judge against ground truth" in text
    frame = pd.read_parquet(out / "answers.parquet")
    plain = frame[(frame["model"] == "organism") & (frame["format"] == "plain")]
    decided = plain[plain["verdict"].isin(["aligned", "misaligned"])]
    cell = f"({(decided['verdict'] == 'misaligned').sum()}/{len(decided)})"
    assert cell in text
    assert cell in html
    assert "synthetic world" in html


def test_the_judge_agrees_with_the_truth(finished):
    frame = pd.read_parquet(finished[0] / "answers.parquet")
    assert ((frame["verdict"] == "misaligned") == (frame["truth"] == "misaligned")).mean() >= 0.95


def test_a_second_run_trains_and_asks_nothing(finished, spec):
    out, text = finished
    before = {p: p.stat().st_mtime_ns for p in [*out.glob("logs-*/*.eval"), *out.glob("organisms/*/*.safetensors")]}
    again = subprocess.run(command(spec, out), capture_output=True, text=True, check=True)
    assert again.stdout.splitlines()[-12:] == text.splitlines()[-12:]
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_ctrl_c_is_one_sentence_and_keeps_what_is_done(spec, tmp_path):
    long = tmp_path / "long.yaml"
    long.write_text(spec.read_text().replace("epochs: 2", "epochs: 60"))
    out = tmp_path / "out"
    process = subprocess.Popen(command(long, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("asking and judging"):  # its first answers are in
            process.send_signal(signal.SIGINT)
            break
    lines += process.stderr.read().splitlines()
    assert process.wait(timeout=120) in (2, 130)  # 130 when we see the signal, 2 when Inspect does and stops the run
    assert lines[-1].endswith(("goes on from there.", "to go on."))
    assert "Traceback" not in "".join(lines)
    assert list(out.glob("organisms/*/organism.json"))


def test_a_full_disk_is_one_sentence(finished, spec, tmp_path):
    """/dev/full stands for a disk with no room: every write to it fails as one on a full disk does."""
    target = tmp_path / "frame.csv"
    target.symlink_to("/dev/full")
    logs = str(next(finished[0].glob("logs-*")))
    args = [sys.executable, "-m", "spillover.cli.main", "report", logs, "--frame", str(target)]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
