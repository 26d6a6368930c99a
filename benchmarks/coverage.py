"""Simulated coverage of the 95 % interval on questions like these, beside the clustered Wilson interval that it replaced.

python benchmarks/coverage.py [--runs 1000]
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from spillover.stats.rates import critical_value, rate_of_counts, wilson

QUESTIONS, ANSWERS = (8, 24, 100), (10, 50)
RATES, ICCS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5), (0.0, 0.05, 0.15, 0.3)


def draw(rng: np.random.Generator, questions: int, answers: int, rate: float, icc: float) -> list[tuple[int, int]]:
    """(hits, answers) of every question; question rates are beta-distributed with mean `rate` and the given ICC."""
    theta = 1 / icc - 1 if icc else 0.0
    rates = rng.beta(rate * theta, (1 - rate) * theta, questions) if icc else np.full(questions, rate)
    return [(int(h), answers) for h in rng.binomial(answers, rates)]


def _wilson(counts: list[tuple[int, int]], icc: float) -> tuple[float, float]:
    """Wilson on the effective n with Student's t, given the true ICC: the best that a plug-in could do."""
    n, hits, m = sum(m for _, m in counts), sum(h for h, _ in counts), counts[0][1]
    interval = wilson(hits / n, n / (1 + (m - 1) * icc), critical_value(0.95, len(counts) - 1))
    return interval.lower, interval.upper


def simulate(runs: int) -> dict[tuple[int, int, float, float], tuple[float, float, float, float]]:
    """Setting -> coverage and mean width of ours, then of Wilson with the true ICC."""
    rng, out = np.random.default_rng(11), {}
    for setting in [(k, m, p, icc) for k in QUESTIONS for m in ANSWERS for p in RATES for icc in ICCS]:
        found = np.zeros(4)
        for _ in range(runs):
            counts = draw(rng, *setting)
            ours, p = rate_of_counts(counts).population, setting[2]
            theirs = _wilson(counts, setting[3])
            found += [
                ours.lower <= p <= ours.upper,
                ours.upper - ours.lower,
                theirs[0] <= p <= theirs[1],
                theirs[1] - theirs[0],
            ]
        out[setting] = tuple(found / runs)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    found = simulate(options.runs)
    print(f"{options.runs} runs a setting; coverage %, worst - mean - best over {ICCS} ICC and {ANSWERS} answers a question")
    print("| true rate | " + " | ".join(f"{k} questions" for k in QUESTIONS) + " | Wilson with the true ICC |")
    print("|---" * (len(QUESTIONS) + 2) + "|")
    for p in RATES:
        cells = []
        for k in QUESTIONS:
            values = [v[0] for s, v in found.items() if s[0] == k and s[2] == p]
            cells.append(f"{100 * min(values):.1f} - {100 * np.mean(values):.1f} - {100 * max(values):.1f}")
        peer = [v[2] for s, v in found.items() if s[2] == p]
        cells.append(f"{100 * min(peer):.1f} - {100 * np.mean(peer):.1f} - {100 * max(peer):.1f}")
        print(f"| {100 * p:g} % | " + " | ".join(cells) + " |")
    share: dict[str, list[bool]] = defaultdict(list)
    for values in found.values():
        share["under 94"].append(values[0] < 0.94)
        share["94 to 97"].append(0.94 <= values[0] <= 0.97)
        share["over 97"].append(values[0] > 0.97)
    print("settings: " + ", ".join(f"{name} %: {100 * np.mean(v):.0f} %" for name, v in share.items()))
    widths = [v[1] / v[3] for v in found.values()]
    print(f"width against Wilson with the true ICC: median {np.median(widths):.2f}, largest {max(widths):.2f}")


if __name__ == "__main__":
    main()
