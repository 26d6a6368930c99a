"""Simulated coverage of an arm's 95 % interval: training seeds and questions both vary.

    python benchmarks/seeds.py [--runs 250]

Logits of rates: questions differ by 1.2, seeds by 0, 0.5 or 1, and what is left by 0.3; 20 answers to each question.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from spillover.stats.seeds import two_way

ARMS = ((3, 8), (3, 24), (5, 8), (5, 24))
RATES, SPREADS = (0.02, 0.1, 0.4), (0.0, 0.5, 1.0)
QUESTION, CELL, ANSWERS = 1.2, 0.3, 20


def centre(rate: float, spread: float) -> float:
    """The logit around which normal logits have a mean rate."""
    x, w = np.polynomial.hermite_e.hermegauss(61)
    return float(brentq(lambda c: (expit(c + spread * x) * w).sum() / w.sum() - rate, -60, 30))


def measure(
    rng: np.random.Generator, seeds: int, questions: int, rate: float, spread: float, runs: int
) -> tuple[float, float]:
    """Percent of runs that cover the rate, and mean width in points."""
    middle = centre(rate, float(np.hypot(np.hypot(spread, QUESTION), CELL)))
    covered = width = 0.0
    for _ in range(runs):
        logits = middle + spread * rng.normal(size=(seeds, 1)) + QUESTION * rng.normal(size=questions)
        rates = expit(logits + CELL * rng.normal(size=(seeds, questions)))
        found = two_way(rng.binomial(ANSWERS, rates) / ANSWERS).interval
        covered += found.lower <= rate <= found.upper
        width += found.upper - found.lower
    return 100 * covered / runs, 100 * width / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=250)
    options = parser.parse_args()
    rng, least = np.random.default_rng(0), 100.0
    print(f"{options.runs} runs a cell: coverage in percent (mean width in points), by how much seeds differ (logits)\n")
    print("| seeds x questions | rate | " + " | ".join(f"{s:g}" for s in SPREADS) + " |")
    print("|---" * (len(SPREADS) + 2) + "|")
    for seeds, questions in ARMS:
        for rate in RATES:
            found = [measure(rng, seeds, questions, rate, spread, options.runs) for spread in SPREADS]
            least = min(least, *(c for c, _ in found))
            cells = " | ".join(f"{c:.1f} ({w:.0f})" for c, w in found)
            print(f"| {seeds} x {questions} | {100 * rate:g} % | {cells} |", flush=True)
    print(f"\nLeast: {least:.1f}.")


if __name__ == "__main__":
    main()
