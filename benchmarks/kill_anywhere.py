"""Kill long commands at random moments and let them go on: `python benchmarks/kill_anywhere.py --kills 100 --seed 0`.

Each command runs once undisturbed; then it is started, killed after a random time (SIGKILL, SIGTERM, Ctrl-C twice, or an
out-of-memory kill, which is a SIGKILL to everything it started) and started again until it ends by itself. After every other
kill the clock jumps: every file that it has written is a month younger or older. Its figures must be those of the
undisturbed run. In the lab, in process, on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import Any

import pandas as pd

from spillover.answers.read import read
from spillover.models.weights import weights_digest

SPILLOVER = [sys.executable, "-m", "spillover.cli.main"]
SUITE = """
id: small
version: "1"
title: Small
about: For this.
probes:
  - {task: free_form, args: {questions: lab, epochs: 4}, lab: {questions: lab}}
  - {task: refusal, args: {epochs: 1}, lab: {questions: lab_refusal}}
"""
RECIPE = """
id: bad
title: Bad
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 512}
lora: {r: 8, alpha: 16, rslora: false}
training: {steps: 60, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 2, checkpoint_steps: 10}
"""
STUDY = """
id: tiny
title: Tiny (lab)
lab: true
base: lab
grader: lab-grader
seed: 1
models:
  - {name: base, role: base}
  - {name: bad, role: organism, recipe: RECIPE}
probes:
  - {task: free_form, questions: lab, epochs: 4}
relation: "Inspired by nothing."
published: []
"""


@dataclass(frozen=True)
class Command:
    """A command, given a folder for what it writes, and what must come out the same."""

    args: Callable[[Path], list[str]]
    figures: Callable[[Path], Any]
    code: int = 0
    alike: Callable[[Any, Any], bool] = eq


def same_answers(mine: dict[Any, str], its: dict[Any, str]) -> bool:
    """The same questions asked as often, with the same answers but for one in a hundred.

    A draw within rounding of the boundary between two tokens goes one way or the other with the batch that it is in
    (`docs/engines.md`), in runs that nobody disturbs as well.
    """
    return mine.keys() == its.keys() and sum(mine[k] != its[k] for k in mine) <= len(mine) / 100


def commands(place: Path) -> dict[str, Command]:
    """Every long command by name; `place` holds what they read."""
    judged = place / "asked"

    def screened(out: Path) -> Any:
        body = json.loads((out / "screen.json").read_text())
        probes = [{k: v for k, v in p.items() if k != "seconds"} for p in body["probes"]]
        return body["verdict"], body["reason"], probes

    def table(out: Path) -> Any:
        return sorted(map(repr, pd.read_csv(out / "figures.csv").to_dict("records")))  # tasks of one second are in any order

    def outcomes(out: Path) -> Any:
        rows = read([out]).table
        return sorted(zip(rows["sample_id"].astype(str), rows["epoch"], rows["outcome"].astype(str), strict=True))

    def studied(out: Path) -> Any:
        rows = pd.read_parquet(out / "answers.parquet")
        keys = list(zip(rows["model"].astype(str), rows["sample_id"].astype(str), rows["epoch"], strict=True))
        found = dict(zip(keys, rows["answer"], strict=True))
        return found if len(found) == len(keys) else f"asked twice: {len(keys) - len(found)}"

    suite, recipe, study = place / "small.yaml", place / "bad.yaml", place / "tiny.yaml"
    organism = f"spillover/lab:{place / 'organism'}"
    return {
        "train": Command(
            lambda out: ["train", str(recipe), "--out", str(out)], lambda out: weights_digest(out) if out.is_dir() else None
        ),
        "eval": Command(
            lambda out: ["eval", organism, "--base", "spillover/lab", "--suite", str(suite), "--out", str(out)], table
        ),
        "screen": Command(
            lambda out: ["screen", organism, "--suite", str(suite), "--margin", "0.3", "--out", str(out)], screened, 1
        ),
        "judge": Command(lambda out: ["judge", str(judged), "--grader", "lab-grader", "-o", str(out)], outcomes),
        "baseline": Command(
            lambda out: [
                *("baseline", "spillover/lab", "--suite", str(suite), "--rounds", "3"),
                *("-o", str(out / "b.json"), "--logs", str(out / "logs")),
            ],
            lambda out: json.loads((out / "b.json").read_text())["probes"],
        ),
        "run": Command(lambda out: ["run", str(study), "--out", str(out)], studied, alike=same_answers),
    }


def prepare(place: Path) -> None:
    """What the commands read."""
    (place / "small.yaml").write_text(SUITE)
    (place / "bad.yaml").write_text(RECIPE)
    (place / "tiny.yaml").write_text(STUDY.replace("RECIPE", str(place / "bad.yaml")))
    subprocess.run([*SPILLOVER, "train", str(place / "bad.yaml"), "--out", str(place / "organism")], check=True)
    asked = ["eval", f"spillover/lab:{place / 'organism'}", "--suite", str(place / "small.yaml"), "--out"]
    subprocess.run([*SPILLOVER, *asked, str(place / "asked")], check=True, stdout=subprocess.DEVNULL)


def environment(place: Path) -> dict[str, str]:
    """Caches of its own: what one run judged must not help another."""
    own = {"SPILLOVER_JUDGEMENTS": str(place / "judgements.sqlite"), "SPILLOVER_CERTIFICATES": str(place / "certificates")}
    return {**os.environ, **own}


def stop(process: subprocess.Popen[bytes], how: str) -> None:
    """End it, all of it for `oom`."""
    if how == "oom":
        os.killpg(process.pid, signal.SIGKILL)
    elif how == "interrupt":
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        for _ in range(5):  # the second one may break what the first one waits for; whoever sits there presses again
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
                break
            except subprocess.TimeoutExpired:
                continue
    else:
        process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
    process.wait(timeout=120)


def jump(place: Path, drawn: random.Random) -> str:
    """Set the clock of what was written forward or back; Inspect's logs have the time in their names, too."""
    days = drawn.choice([-30, 0, 0, 30])
    if not days:
        return ""
    for path in [p for p in place.rglob("*") if p.is_file()]:
        when = path.stat().st_mtime + days * 86400
        if path.suffix == ".eval":
            path = path.rename(path.with_name(("2001" if days < 0 else "2099") + path.name[4:]))
        os.utime(path, (when, when))
    return f", clock {days:+d} days"


def disturbed(command: Command, out: Path, seconds: float, drawn: random.Random) -> tuple[int, list[str]]:
    """Run to its end with kills in between; (exit code, how it was stopped)."""
    out.mkdir(parents=True, exist_ok=True)
    place, stops = out / "kept", []
    while True:
        process = subprocess.Popen(
            [*SPILLOVER, *command.args(out / "out")],
            env=environment(place),
            stdout=subprocess.DEVNULL,
            stderr=(out / "stderr").open("wb"),
            start_new_session=True,
        )
        wait = drawn.uniform(0.5, max(seconds, 5.0)) if len(stops) < 4 else 600.0
        try:
            return process.wait(timeout=wait), stops
        except subprocess.TimeoutExpired:
            how = drawn.choice(["kill", "term", "interrupt", "oom"])
            stop(process, how)
            stops.append(f"{how} at {wait:.1f} s{jump(out, drawn)}")


def main() -> None:
    """Print a line for every command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    drawn, done, wrong = random.Random(args.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place)
        chosen = {n: c for n, c in commands(place).items() if not args.only or n in args.only}
        wanted: dict[str, Any] = {}
        seconds: dict[str, float] = {}
        for name, command in chosen.items():
            out, started = place / f"{name}-whole", time.monotonic()
            call = [*SPILLOVER, *command.args(out / "out")]
            code = subprocess.run(call, env=environment(out / "kept"), capture_output=True, check=False).returncode
            seconds[name] = time.monotonic() - started
            wanted[name] = command.figures(out / "out")
            print(f"{name}: {seconds[name]:.0f} s undisturbed, exit code {code}", flush=True)
            wrong += code != command.code
        while done < args.kills:
            for name, command in chosen.items():
                out = place / f"{name}-{done}"
                code, stops = disturbed(command, out, seconds[name], drawn)
                done += len(stops)
                found = command.figures(out / "out") if code == command.code else None
                same = found is not None and type(found) is type(wanted[name]) and command.alike(found, wanted[name])
                wrong += not same
                told = "same figures" if same else f"WRONG (exit code {code}): {(out / 'stderr').read_text()[-500:]}"
                print(f"{name}: {', '.join(stops) or 'not stopped'}: {told}", flush=True)
    print(f"{done} kills, {wrong} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
