"""Simulated coverage, false alarms and power of the drift, on questions like these and on this suite.

    python benchmarks/drift.py [--runs 1000] [--quick] [--only none|rises|margin|probes]

Worlds: how the rates of questions are spread. *beta*: beta distributions with ICC 0.1, the same quantile for both models.
*logit 0.8 / 1.2 / 1.8*: normal on the logit scale with the standard deviations that the published judged tables have (least,
pooled, largest), correlation 0.9 between the models. *two points*: a quarter of the questions has all of the rise (without
one: a fifth of them four times the rate, drawn for each model by itself).
"""

from __future__ import annotations

import argparse
from functools import lru_cache

import numpy as np
from benchmarks.worlds import PUBLISHED, shifted

from spillover.stats.multiplicity import step_down
from spillover.stats.paired import drift_of_counts, margin_test

WORLDS = ("beta", "logit 0.8", "logit 1.2", "logit 1.8", "two points")
NULLS = [(k, m, p) for k, m in ((3, 50), (8, 50), (24, 20), (100, 8)) for p in (0.001, 0.01, 0.05, 0.1)]
RISES = (
    (8, 50, 0.001, 0.02), (8, 50, 0.001, 0.05), (8, 100, 0.01, 0.05), (24, 20, 0.001, 0.02), (24, 20, 0.001, 0.05),
    (24, 100, 0.0007, 0.0061), (48, 10, 0.01, 0.02), (48, 50, 0.0007, 0.0061), (100, 8, 0.001, 0.01),
)  # fmt: skip
MARGINS = ((0.01, 0.05), (0.05, 0.05), (0.05, 0.2), (0.2, 0.1))
Pairs = tuple[np.ndarray, np.ndarray]


@lru_cache
def _centre(rate: float, spread: float) -> float:
    """The logit around which normal logits have a mean rate."""
    from scipy.optimize import brentq
    from scipy.special import expit

    x, w = np.polynomial.hermite_e.hermegauss(61)
    return float(brentq(lambda c: (expit(c + spread * x) * w).sum() / w.sum() - rate, -60, 30))


def rates(rng: np.random.Generator, world: str, questions: int, base: float, rise: float) -> Pairs:
    """Rates of the questions, of base and organism."""
    from scipy.special import expit
    from scipy.stats import beta

    if world == "beta":
        u, theta = rng.random(questions), 9.0
        return tuple(beta.ppf(u, p * theta, (1 - p) * theta) for p in (base, base + rise))  # type: ignore[return-value]
    if world.startswith("logit"):
        spread = float(world.split()[1])
        z, own = rng.normal(size=questions), rng.normal(size=questions)
        other = 0.9 * z + np.sqrt(1 - 0.81) * own
        return expit(_centre(base, spread) + spread * z), expit(_centre(base + rise, spread) + spread * other)
    if world == "published":  # two tables, and the same questions of both
        first, second = (PUBLISHED[n] for n in rng.integers(len(PUBLISHED), size=2))
        asked = rng.integers(len(first), size=questions)
        return shifted(first, base)[asked], shifted(second, base + rise)[asked]
    if rise:
        return np.full(questions, base), np.where(rng.random(questions) < 0.25, base + 4 * rise, base)
    high = rng.random((2, questions)) < 0.2
    first, second = np.where(high, 4 * base, base / 4)
    return first, second


def draw(
    rng: np.random.Generator, world: str, questions: int, answers: int, base: float, rise: float
) -> tuple[dict, dict, float]:
    """Counts of organism and base, and the drift of these very questions."""
    low, high = rates(rng, world, questions, base, rise)
    counts = [
        dict(enumerate(zip(rng.binomial(answers, p).tolist(), [answers] * questions, strict=True))) for p in (high, low)
    ]
    return counts[0], counts[1], float((high - low).mean())


def measure(world: str, setting: tuple[int, int, float, float], runs: int) -> np.ndarray:
    """Shares of runs: population covers, suite covers, population more, suite more."""
    rng = np.random.default_rng([setting[0], round(1e5 * setting[2]), (*WORLDS, "published").index(world)])
    found = np.zeros(4)
    for _ in range(runs):
        organism, base, suite = draw(rng, world, *setting)
        drift = drift_of_counts(organism, base)
        found += [
            drift.interval.lower - 1e-9 <= setting[3] <= drift.interval.upper + 1e-9,
            drift.suite.lower - 1e-9 <= suite <= drift.suite.upper + 1e-9,
            drift.interval.lower > 0,
            drift.suite.lower > 0,
        ]
    return 100 * found / runs


def false_passes(world: str, questions: int, base: float, margin: float, runs: int) -> float:
    """Percent of runs that pass an organism whose drift is the margin."""
    rng, passed = np.random.default_rng(5), 0
    for _ in range(runs):
        organism, low, _ = draw(rng, world, questions, 20, base, margin)
        passed += margin_test(organism, low, margin).decision == "below the margin"
    return 100 * passed / runs


def families(world: str, questions: int, answers: int, base: float, runs: int, size: int = 11) -> np.ndarray:
    """Percent of clean models with a rise in any of `size` probes: each by its own interval, and by Holm's procedure."""
    rng, found = np.random.default_rng(6), np.zeros(2)
    for _ in range(runs):
        pairs = [draw(rng, world, questions, answers, base, 0.0)[:2] for _ in range(size)]
        sure = [pair for pair in pairs if drift_of_counts(*pair).interval.lower > 0]
        told = step_down(sure, lambda pair, level: drift_of_counts(*pair, level).interval.lower > 0, size)
        found += [bool(sure), bool(told)]
    return 100 * found / runs


def no_drift(runs: int) -> None:
    """False alarms."""
    print(f"{runs} runs a cell. No drift: percent of runs that call one a rise, on questions like these (2.5 allowed)\n")
    print("| questions x answers | base | " + " | ".join(WORLDS) + " | least coverage: questions like these / this suite |")
    print("|---" * (len(WORLDS) + 3) + "|")
    for k, m, p in NULLS:
        found = np.array([measure(world, (k, m, p, 0.0), runs) for world in WORLDS])
        least = " / ".join(f"{v:.1f}" for v in found[:, :2].min(0))
        print(f"| {k} x {m} | {100 * p:g} % | " + " | ".join(f"{v:.1f}" for v in found[:, 2]) + f" | {least} |", flush=True)


def rises(runs: int) -> None:
    """Power."""
    print(f"{runs} runs a cell. A rise: percent of runs that call it one, on questions like these / on this suite\n")
    print("| questions x answers | base | rise | " + " | ".join(WORLDS) + " | least coverage: both |")
    print("|---" * (len(WORLDS) + 4) + "|")
    for k, m, p, rise in RISES:
        found = np.array([measure(world, (k, m, p, rise), runs) for world in WORLDS])
        power = " | ".join(f"{a:.0f} / {b:.0f}" for a, b in found[:, 2:])
        least = " / ".join(f"{v:.1f}" for v in found[:, :2].min(0))
        print(f"| {k} x {m} | {100 * p:g} % | {100 * rise:g} | {power} | {least} |", flush=True)


def at_the_margin(runs: int) -> None:
    """Wrong passes."""
    print(f"{runs} runs a cell. An organism at the margin: percent that pass it (5 allowed), 20 answers a question\n")
    print("| questions | base | margin | " + " | ".join(WORLDS) + " |\n" + "|---" * (len(WORLDS) + 3) + "|")
    for k in (8, 24, 100):
        for base, margin in MARGINS:
            cells = " | ".join(f"{false_passes(w, k, base, margin, runs):.1f}" for w in WORLDS)
            print(f"| {k} | {100 * base:g} % | {100 * margin:g} | {cells} |", flush=True)


def many_probes(runs: int) -> None:
    """Clean models of many probes."""
    print(f"{runs} clean models a cell, asked 11 probes: percent told that any rose, each by its own interval / by Holm\n")
    print("| questions x answers | base | " + " | ".join(WORLDS) + " |\n" + "|---" * (len(WORLDS) + 2) + "|")
    for k, m, base in ((24, 20, 0.05), (24, 20, 0.1), (100, 8, 0.05)):
        cells = " | ".join("{:.1f} / {:.1f}".format(*families(w, k, m, base, runs)) for w in WORLDS)
        print(f"| {k} x {m} | {100 * base:g} % | {cells} |", flush=True)


TABLES = {"none": no_drift, "rises": rises, "margin": at_the_margin, "probes": many_probes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="100 runs")
    parser.add_argument("--only", choices=TABLES, action="append", help="one table; may be repeated")
    options = parser.parse_args()
    for number, name in enumerate(options.only or TABLES):
        if number:
            print()
        TABLES[name](100 if options.quick else options.runs)


if __name__ == "__main__":
    main()
