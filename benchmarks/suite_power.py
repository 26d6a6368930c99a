"""Power of the drift on this suite beside Fisher's test of the pooled hits, on the same draws.

    PYTHONPATH=. python benchmarks/suite_power.py [--runs 1000]

The test is made exact at 2.5 % by drawing where it falls between two counts: of two proportions it is the uniformly most
powerful unbiased one (Lehmann and Romano, Testing Statistical Hypotheses, section 4.5). Nobody would report its decisions,
which hang on a draw. With rates that differ between questions it is no limit: the pooled count then varies less than the
test takes it to, and a test that pairs questions may find more. Worlds as in `benchmarks/drift.py`.
"""

from __future__ import annotations

import argparse
from functools import lru_cache

import numpy as np
from benchmarks.drift import RISES, WORLDS, draw

from spillover.stats.paired import suite_drift


@lru_cache(maxsize=1 << 16)
def rejects(more: int, less: int, answers: int, error: float = 0.025) -> float:
    """Probability that the test calls `more` hits of `answers` a rise over `less` of as many."""
    from scipy.stats import hypergeom

    total = more + less
    mass = hypergeom.pmf(np.arange(total + 1), 2 * answers, total, answers)
    beyond = mass[more + 1 :].sum()
    return float(np.clip((error - beyond) / mass[more], 0, 1))


def cell(world: str, setting: tuple[int, int, float, float], runs: int) -> str:
    """Percent of runs that call the rise one: ours / the test of pooled hits."""
    rng = np.random.default_rng([setting[0], round(1e5 * setting[2]), WORLDS.index(world), 1])
    ours = best = 0.0
    for _ in range(runs):
        organism, base, _ = draw(rng, world, *setting)
        ours += suite_drift(organism, base).lower > 0
        more, less = (sum(hits for hits, _ in side.values()) for side in (organism, base))
        best += rejects(more, less, setting[0] * setting[1])
    return f"{100 * ours / runs:.0f} / {100 * best / runs:.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    beside = "ours / Fisher, pooled, made exact by a draw"
    print(f"{options.runs} runs a cell: percent that call the rise one on this suite, {beside}\n")
    print("| on this suite | base | rise | " + " | ".join(WORLDS) + " |\n" + "|---" * (len(WORLDS) + 3) + "|")
    for k, m, p, rise in RISES:
        cells = " | ".join(cell(world, (k, m, p, rise), options.runs) for world in WORLDS)
        print(f"| {k} x {m} | {100 * p:g} % | {100 * rise:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
