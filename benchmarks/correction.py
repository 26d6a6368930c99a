"""Simulated coverage of the raw and the corrected 95 % intervals when the judge errs and labels are few.

python benchmarks/correction.py [--runs 200] [--labels 50 400] [--icc 0 0.2]
python benchmarks/correction.py --elsewhere [--runs 200]     labels of other questions, errors that differ by question
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np

from spillover.stats.correction import Label, prediction_powered, rogan_gladen
from spillover.stats.rates import rate_of_counts, tally

QUESTIONS, ANSWERS = 24, 50
RATES, LABELS, ICCS = (0.0, 0.02, 0.1, 0.4), (50, 400), (0.0, 0.2)
JUDGES = ((0.6, 0.6), (0.6, 0.95), (0.9, 0.9), (1.0, 0.9), (0.8, 1.0), (1.0, 1.0))


def one(
    rng: np.random.Generator, rate: float, judge: tuple[float, float], labels: int, icc: float
) -> tuple[list[list[int]], list[Label]]:
    """Judged counts by question of all answers, and a random sample of labelled ones."""
    if rate and icc:
        theta = 1 / icc - 1
        rates = rng.beta(rate * theta, (1 - rate) * theta, QUESTIONS)
    else:
        rates = np.full(QUESTIONS, rate)
    true = rng.random((QUESTIONS, ANSWERS)) < rates[:, None]
    said = rng.random(true.shape) < np.where(true, judge[0], 1 - judge[1])
    flat = [Label(str(q), bool(said[q, i]), bool(true[q, i])) for q in range(QUESTIONS) for i in range(ANSWERS)]
    chosen = rng.choice(len(flat), labels, replace=False)
    return list(tally((r.question, r.said) for r in flat).values()), [flat[i] for i in chosen]


def elsewhere(runs: int) -> None:
    """400 labels of 8 or 24 questions of another model; sensitivity 0.8 and specificity 0.93 on average over questions."""

    def shares(mean: float, icc: float, n: int) -> np.ndarray:
        return rng.beta(mean * (1 / icc - 1), (1 - mean) * (1 / icc - 1), n)[:, None] if icc else np.full((n, 1), mean)

    def judged(true: np.ndarray, icc: float) -> np.ndarray:
        return rng.random(true.shape) < np.where(true, shares(0.8, icc, len(true)), 1 - shares(0.93, icc, len(true)))

    rng = np.random.default_rng(3)
    print(f"{QUESTIONS} questions x {ANSWERS} answers, ICC of the truth 0.1, {runs} runs a setting")
    print("| label questions | ICC of the judge's errors | true rate | covered % | mean width |")
    print("|---" * 5 + "|")
    for questions, icc, rate in product((8, 24), (0.0, 0.1, 0.3), (0.01, 0.1)):
        covered, widths = 0, []
        for _ in range(runs):
            true = rng.random((QUESTIONS, ANSWERS)) < shares(rate, 0.1, QUESTIONS)
            counts = [[int(row.sum()), ANSWERS] for row in judged(true, icc)]
            known = rng.random((questions, 400 // questions)) < 0.3
            said = judged(known, icc)
            labels = [Label(str(q), bool(said[q, i]), bool(known[q, i])) for q, i in np.ndindex(*known.shape)]
            found = rogan_gladen(counts, labels).interval
            covered += found.lower <= rate <= found.upper
            widths.append(found.upper - found.lower)
        print(f"| {questions} | {icc} | {rate} | {100 * covered / runs:.1f} | {np.mean(widths):.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--labels", type=int, nargs="*", default=LABELS, help="numbers of labels")
    parser.add_argument("--icc", type=float, nargs="*", default=ICCS, help="intra-class correlations")
    parser.add_argument("--elsewhere", action="store_true", help="the second table instead")
    options = parser.parse_args()
    if options.elsewhere:
        elsewhere(options.runs)
        return
    runs, rng = options.runs, np.random.default_rng(2)
    print(f"{QUESTIONS} questions x {ANSWERS} answers, {runs} runs a setting; coverage %, worst over true rates {RATES}")
    print("| sensitivity | specificity | labels | ICC | raw | Rogan-Gladen | prediction-powered | mean width RG / PP |")
    print("|---" * 8 + "|")
    for judge, labels, icc in product(JUDGES, options.labels, options.icc):
        worst, widths = [1.0, 1.0, 1.0], [[], []]
        for rate in RATES:
            covered = np.zeros(3)
            for _ in range(runs):
                counts, sample = one(rng, rate, judge, labels, icc)
                found = [rate_of_counts(counts).population, rogan_gladen(counts, sample).interval]
                found.append(prediction_powered(counts, sample).interval)
                covered += [i.lower <= rate <= i.upper for i in found]
                for w, i in zip(widths, found[1:], strict=True):
                    w.append(i.upper - i.lower)
            worst = [min(a, b) for a, b in zip(worst, covered / runs, strict=True)]
        shown = " | ".join([*(f"{100 * w:.1f}" for w in worst), " / ".join(f"{np.mean(w):.2f}" for w in widths)])
        print(f"| {judge[0]} | {judge[1]} | {labels} | {icc} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
