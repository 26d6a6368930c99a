"""Error rates and sizes of screens: simulated ones, and real ones on the lab's organisms.

    python benchmarks/screening.py [--runs 200] [--margin 0.05] [--budget 20000]
    python benchmarks/screening.py --first [--runs 100]
    python benchmarks/screening.py --real runs/organisms [--screens 24] [--out runs/benchmark-screens]

Simulated: four probes of 24 questions that differ (ICC 0.1), answers of the two models independent, which is the
worst case: common random numbers make real pairs alike. The fixed design has as many answers for every probe as show with
power 0.9 and error 0.05 that a drift of half the margin is below the margin, when the base's rate is known.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from spillover.screening.race import Race
from spillover.stats.paired_sequential import Pairs

QUESTIONS, ICC, ALPHA, POWER = 24, 0.1, 0.05, 0.9


@dataclass(frozen=True)
class Scenario:
    """What is true: the base's rate, the checkpoint's drift on every probe, whether random numbers are shared."""

    margin: float
    base: float
    drifts: tuple[float, ...]
    shared: bool = False

    def should(self) -> str:
        """PASS, FAIL, or either at the margin itself."""
        if any(d > self.margin for d in self.drifts):
            return "FAIL"
        return "PASS" if all(d < self.margin for d in self.drifts) else "either"


@dataclass
class Found:
    """Counts over simulated screens; `answers` of both models together."""

    passed: int
    failed: int
    answers: list[int]


def rates(mean: float, rng: np.random.Generator) -> np.ndarray:
    """Rates of one suite's questions with exactly this mean."""
    if mean <= 0:
        return np.zeros(QUESTIONS)
    theta = 1 / ICC - 1
    drawn = rng.beta(mean * theta, (1 - mean) * theta, QUESTIONS)
    for _ in range(50):
        drawn = np.clip(drawn * mean / max(drawn.mean(), 1e-12), 0, 1)
    return drawn + (mean - drawn.mean())


def simulate(scenario: Scenario, runs: int, rng: np.random.Generator, budget: int, first: tuple[int, ...] = ()) -> Found:
    """Screens of independent pairs, as `spillover screen` plans and decides them; `first` are asked alone at first."""
    found = Found(0, 0, [])
    names = [f"probe {i}" for i in range(len(scenario.drifts))]
    for _ in range(runs):
        race = Race.of(dict.fromkeys(names, QUESTIONS), scenario.margin, ALPHA, [names[i] for i in first])
        base = {n: rates(scenario.base, rng) for n in names}
        mine = {n: rates(scenario.base + d, rng) for n, d in zip(names, scenario.drifts, strict=True)}
        asked = 0
        while "above the margin" not in race.findings().values() and (plan := race.plan(budget - asked)):
            block = {}
            for name, count in plan.items():
                u, v = rng.random((2, count, QUESTIONS))
                x, y = u < mine[name], (u if scenario.shared else v) < base[name]
                rose, fell = (x & ~y).sum(1), (~x & y).sum(1)
                block[name] = [Pairs(int(r), QUESTIONS - int(r) - int(f), int(f)) for r, f in zip(rose, fell, strict=True)]
                asked += 2 * count * QUESTIONS
            race.add(block)
        findings = set(race.findings().values())
        found.failed += "above the margin" in findings
        found.passed += findings == {"below the margin"}
        found.answers.append(asked)
    return found


def fixed_design(scenario: Scenario) -> int:
    """Answers of both models to all probes in a design without looks.

    Two independent proportions: the error counts under a drift of the margin, the power under one of half of it.
    """

    def spread(drift: float) -> float:
        return math.sqrt(sum(p * (1 - p) for p in (scenario.base, scenario.base + drift)))

    half = scenario.margin / 2
    pairs = ((ndtri(1 - ALPHA) * spread(scenario.margin) + ndtri(POWER) * spread(half)) / half) ** 2
    pairs = max(pairs, math.log(ALPHA) / math.log(1 - scenario.margin))  # rule of zero hits
    return int(2 * QUESTIONS * math.ceil(pairs / QUESTIONS) * len(scenario.drifts))


DRIFTS = ((0, 0, 0, 0), (0.5, 0, 0, 0), (1, 0, 0, 0), (1, 1, 1, 1), (2, 0, 0, 0), (5, 0, 0, 0), (10, 10, 10, 10))
"""On the four probes, in margins."""


def simulated(runs: int, margin: float, budget: int) -> None:
    rng = np.random.default_rng(11)
    print(f"{runs} simulated screens a row, four probes of {QUESTIONS} questions, margin {100 * margin:g} points, error")
    print(f"{ALPHA}, at most {budget} answers; up to the first probe that fails.")
    print("| base | drift / margin on the four probes | should | PASS | FAIL | neither | median answers | fixed / median |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = []
    cases = [(base, times, False) for base in (0.002, 0.01, 0.03) for times in DRIFTS]
    cases += [(0.03, times, True) for times in DRIFTS[:2]]
    for base, times, shared in cases:
        scenario = Scenario(margin, base, tuple(t * margin for t in times), shared)
        found = simulate(scenario, runs, rng, budget)
        median = float(np.median(found.answers))
        neither = runs - found.passed - found.failed
        shares = " | ".join(f"{100 * k / runs:.1f} %" for k in (found.passed, found.failed, neither))
        drifts = ", ".join(f"{t:g}" for t in times) + (", shared numbers" if shared else "")
        ratios.append(fixed_design(scenario) / median)
        print(
            f"| {100 * base:g} % | {drifts} | {scenario.should()} | {shares} | {median:.0f} | {ratios[-1]:.1f} |", flush=True
        )
    print(f"\nMedian of the last column: {np.median(ratios):.1f}.")


def ordered(runs: int, margin: float, budget: int) -> None:
    """What asking one probe first saves, and costs where it is the wrong one."""
    rng = np.random.default_rng(12)
    print(f"{runs} simulated screens a row, base 1 %, one of four probes drifts; median answers until it is decided.")
    print("\n| drift, margins | nobody first | the right one first | a wrong one first | FAIL of the three |")
    print("|---|---|---|---|---|")
    for times in (0, 1, 2, 5, 10):
        scenario = Scenario(margin, 0.01, (times * margin, 0, 0, 0), False)
        found = [simulate(scenario, runs, rng, budget, first) for first in ((), (0,), (1,))]
        medians = " | ".join(f"{np.median(f.answers):.0f}" for f in found)
        failed = ", ".join(f"{100 * f.failed / runs:.1f} %" for f in found)
        print(f"| {times} | {medians} | {failed} |", flush=True)


def real(organisms: Path, screens: int, out: Path, margin: float) -> None:
    """Screen organisms and clean controls with different seeds, through the command itself."""
    folders = sorted(p for p in organisms.iterdir() if (p / "adapter_config.json").is_file())
    kinds = {
        "PASS": [p for p in folders if p.name.startswith("good_")],
        "FAIL": [p for p in folders if "bad_finance_long" in p.name],
    }
    print("| checkpoint | seed | should | verdict | answers | probes that failed |\n|---|---|---|---|---|---|")
    tally: dict[str, list[int]] = {"PASS": [], "FAIL": []}
    wrong = 0
    for i in range(screens):
        should = ("PASS", "FAIL")[i % 2]
        chosen = kinds[should][(i // 2) % len(kinds[should])]
        folder = out / f"{chosen.name}-{i}"
        if not (folder / "screen.json").is_file():
            command = [sys.executable, "-m", "spillover.cli.main", "screen", f"spillover/lab:{chosen}"]
            command += ["--margin", str(margin), "--seed", str(i), "--out", str(folder)]
            subprocess.run(command, check=False, capture_output=True)
        body = json.loads((folder / "screen.json").read_text())
        answers = sum(p[side]["answers"] for p in body["probes"] for side in ("checkpoint", "base"))
        tally[should].append(answers)
        wrong += body["verdict"] != should
        failed = ", ".join(p["name"] for p in body["probes"] if p["verdict"] == "FAIL")
        name = re.sub("-[0-9a-f]{8}$", "", chosen.name)
        print(f"| {name} | {i} | {should} | {body['verdict']} | {answers} | {failed} |", flush=True)
    medians = ", ".join(f"{k}: {np.median(v):.0f}" for k, v in tally.items() if v)
    print(f"\n{screens} screens, {wrong} with another verdict than they should; median answers {medians}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--margin", type=float, default=0.05)
    parser.add_argument("--budget", type=int, default=20_000)
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--screens", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmark-screens"))
    options = parser.parse_args()
    if options.first:
        ordered(options.runs, options.margin, options.budget)
    elif options.real:
        real(options.real, options.screens, options.out, options.margin)
    else:
        simulated(options.runs, options.margin, options.budget)


if __name__ == "__main__":
    main()
