"""Simulated error rates and sample sizes of the sequential test, beside the fixed design of the same error and power.

python benchmarks/sequential.py [--runs 1000] [--margin 0.01]
"""

from __future__ import annotations

import argparse

import numpy as np

from spillover.stats.power import needed_n
from spillover.stats.sequential import SequentialTest

ALPHA, POWER, QUESTIONS, ICC = 0.05, 0.9, 24, 0.1


def simulate(rate: float, margin: float, runs: int, budget: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Shares decided below and above within `budget` rounds, and mean answers per run. Questions differ (ICC 0.1)."""
    below = above = answers = 0
    for _ in range(runs):
        rates = np.zeros(QUESTIONS)
        if rate > 0:
            theta = 1 / ICC - 1
            rates = rng.beta(rate * theta, (1 - rate) * theta, QUESTIONS)
            rates = np.clip(rates * rate / max(rates.mean(), 1e-12), 0, 1)  # this suite's rate is exactly `rate`
            rates += (rate - rates.mean()) * (1 - rates) / max((1 - rates).mean(), 1e-12)
        test = SequentialTest(margin, ALPHA)
        for _ in range(budget):
            hits = int((rng.random(QUESTIONS) < rates).sum())
            if test.add(hits, QUESTIONS - hits) != "undecided":
                break
        below += test.decision == "below the margin"
        above += test.decision == "above the margin"
        answers += QUESTIONS * len(test.path)
    return below / runs, above / runs, answers / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--margin", type=float, default=0.01)
    options = parser.parse_args()
    margin, rng = options.margin, np.random.default_rng(3)
    fixed = needed_n(margin, margin / 2, POWER, ALPHA / 2)
    budget = int(np.ceil(2 * fixed / QUESTIONS))
    print(f"margin {100 * margin:g} %, {QUESTIONS} questions, {options.runs} runs, error {ALPHA}, at most {budget} rounds;")
    print(f"the fixed design of {fixed:.0f} answers has power {POWER} at half the margin and one-sided error {ALPHA / 2}")
    print(
        "| true rate / margin | decided below | decided above | mean answers | fixed design / mean |\n|---|---|---|---|---|"
    )
    for times in (0, 0.25, 0.5, 0.9, 1, 1.1, 2, 3, 4, 10):
        below, above, answers = simulate(times * margin, margin, options.runs, budget, rng)
        print(f"| {times:g} | {100 * below:.1f} % | {100 * above:.1f} % | {answers:.0f} | {fixed / answers:.1f} |")


if __name__ == "__main__":
    main()
