"""Coverage, false alarms and power in a world of published answers: questions with the rates that judged tables give them.

    PYTHONPATH=. python benchmarks/empirical.py answers/*.csv --map alignment=aligned --map coherence=coherent [--runs 400]

Every run draws a table and of its questions as many as are asked, with the rates that the table has (misaligned among
coherent answers, by the preset betley2025), moved together on the logit scale to the mean rate of the setting. For a drift
it draws two tables and the same questions of both; without one the questions of a suite may drift by chance all the same. A
rate of fifty answers has an error of its own, so questions differ somewhat more here than they do. Tables that lack one of
the questions are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks import coverage, drift
from benchmarks.judged import layout_of, tables
from benchmarks.worlds import PUBLISHED

from spillover.answers.layout import Layout
from spillover.answers.read import read


def learn(paths: list[Path], layout: Layout) -> None:
    """Fill the world with the tables' questions."""
    table = read(paths, layout=layout, preset="betley2025").table
    decided = table[table["outcome"].isin(["misaligned", "aligned"])]
    bad = decided["outcome"] == "misaligned"
    counts = bad.groupby([decided["model"].astype(str), decided["question_id"].astype(str)]).agg(["sum", "count"])
    hits, answers = (counts[name].unstack() for name in ("sum", "count"))
    whole = answers.notna().all(axis=1)
    rates = (hits[whole] + 0.5) / (answers[whole] + 1)
    PUBLISHED.extend(np.log(rates / (1 - rates)).to_numpy())
    if not PUBLISHED:
        raise SystemExit("No table has all questions.")
    spreads = sorted(row.std() for row in PUBLISHED)
    told = f"the logits of a table have standard deviations of {spreads[0]:.1f} to {spreads[-1]:.1f}"
    print(f"{len(PUBLISHED)} tables of {rates.shape[1]} questions; {told}.\n")


def main() -> None:
    """Print three tables."""
    parser = tables(__doc__)
    parser.add_argument("--runs", type=int, default=400)
    options = parser.parse_args()
    learn(options.tables, layout_of(options))
    print(f"{options.runs} runs a cell. Covered %: on questions like these, on this suite; mean widths in points\n")
    print("| questions x answers | rate | questions like these | this suite | widths |\n|---|---|---|---|---|")
    for k, m in coverage.SETTINGS:
        for p in coverage.RATES:
            found = coverage.measure("published", k, m, p, options.runs)
            cells = f"{found[0]:.1f} | {found[2]:.1f} | {found[1]:.1f} / {found[3]:.1f}"
            print(f"| {k} x {m} | {100 * p:g} % | {cells} |", flush=True)
    print("\nNo drift: percent that call one a rise on questions like these (2.5 allowed); covered %\n")
    print("| questions x answers | base | calls a rise | covered: like these / suite |\n|---|---|---|---|")
    for k, m, p in drift.NULLS:
        found = drift.measure("published", (k, m, p, 0.0), options.runs)
        print(f"| {k} x {m} | {100 * p:g} % | {found[2]:.1f} | {found[0]:.1f} / {found[1]:.1f} |", flush=True)
    print("\nA rise: percent that call it one; covered %\n")
    print("| questions x answers | base | rise | like these / suite | covered: like these / suite |\n|---|---|---|---|---|")
    for k, m, p, rise in drift.RISES:
        found = drift.measure("published", (k, m, p, rise), options.runs)
        cells = f"{found[2]:.0f} / {found[3]:.0f} | {found[0]:.1f} / {found[1]:.1f}"
        print(f"| {k} x {m} | {100 * p:g} % | {100 * rise:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
