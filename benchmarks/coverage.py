"""Simulated coverage and width of the 95 % intervals of one rate: on questions like these, and on this suite.

    PYTHONPATH=. python benchmarks/coverage.py [--runs 1000] [--quick]

Worlds: see `benchmarks/worlds.py`. The peer is the clustered Wilson interval, given the true spread of the questions: the
best that a plug-in estimate of it could do.
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.worlds import ONE_RATE, question_rates

from spillover.stats.rates import critical_value, rate_of_counts, wilson

SETTINGS = ((8, 50), (24, 20), (48, 10), (100, 8))
RATES = (0.001, 0.007, 0.02, 0.1, 0.3)


def measure(world: str, questions: int, answers: int, p: float, runs: int) -> np.ndarray:
    """Covers and width of the population interval, covers and width of the suite's, covers and width of the peer's."""
    rng = np.random.default_rng([questions, round(1e5 * p), (*ONE_RATE, "published").index(world)])
    worlds = 50 if world == "published" else 1  # every draw there is of one table
    spread = np.mean([question_rates(np.random.default_rng(n), world, 200_000 // worlds, p).var() for n in range(worlds)])
    deff = 1 + (answers - 1) * spread / (p * (1 - p))
    found = np.zeros(6)
    for _ in range(runs):
        own = question_rates(rng, world, questions, p)
        counts = [(int(h), answers) for h in rng.binomial(answers, own)]
        rate = rate_of_counts(counts)
        n = questions * answers
        peer = wilson(rate.value, n / deff, critical_value(0.95, questions - 1))
        for i, (limits, true) in enumerate(((rate.population, p), (rate.suite, float(own.mean())), (peer, p))):
            found[2 * i] += limits.lower - 1e-12 <= true <= limits.upper + 1e-12
            found[2 * i + 1] += limits.upper - limits.lower
    return 100 * found / runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="100 runs")
    options = parser.parse_args()
    runs = 100 if options.quick else options.runs
    print(f"{runs} runs a cell; coverage in percent, on questions like these by world; least over the worlds on this suite,")
    print("and of Wilson given the true spread; mean width in points over the worlds, of these three\n")
    print("| questions x answers | rate | " + " | ".join(ONE_RATE) + " | suite | Wilson | width |")
    print("|---" * (len(ONE_RATE) + 5) + "|")
    least, cells = np.full(3, 100.0), []
    for k, m in SETTINGS:
        for p in RATES:
            found = np.array([measure(world, k, m, p, runs) for world in ONE_RATE])
            least = np.minimum(least, found[:, ::2].min(0))
            cells += found[:, 0].tolist()
            width = " / ".join(f"{v:.1f}" for v in found[:, 1::2].mean(0))
            mine = " | ".join(f"{v:.1f}" for v in found[:, 0])
            others = " | ".join(f"{v:.1f}" for v in found[:, 2::2].min(0))
            print(f"| {k} x {m} | {100 * p:g} % | {mine} | {others} | {width} |", flush=True)
    print(f"\nLeast: questions like these {least[0]:.1f}, this suite {least[1]:.1f}, Wilson {least[2]:.1f}.")
    under = np.mean([c < 94 for c in cells])
    print(f"Cells under 94 % on questions like these: {100 * under:.0f} %; mean {np.mean(cells):.1f}.")


if __name__ == "__main__":
    main()
