"""The flip table: answers of two models to the same question and epoch, outcome against outcome."""

from __future__ import annotations

import pandas as pd

from spillover.answers.condition import CELL

SLOT = [*CELL, "question_id", "sample_id", "epoch"]


def flip_table(organism: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Number of answer pairs by the base's outcome (rows) and the organism's (columns).

    Two models share a question and an epoch but no random numbers, whatever their seeds, so a single pair says little; the
    table as a whole shows where answers went, into incoherence and refusal too. An answer is in one pair at most: repeats
    under other seeds are paired in the order of their seeds.
    """
    sides = [_numbered(side) for side in (base, organism)]
    both = sides[0].merge(sides[1], on=[*SLOT, "repeat"], suffixes=("_base", "_organism"))
    table = pd.crosstab(both["outcome_base"], both["outcome_organism"])
    known = [*table.index, *(name for name in table.columns if name not in table.index)]
    order = sorted(known, key=lambda name: name == "unscored")
    return table.reindex(index=order, columns=order, fill_value=0)


def _numbered(side: pd.DataFrame) -> pd.DataFrame:
    rows = side.sort_values("seed", kind="stable")[[*SLOT, "outcome"]].astype(object)
    return rows.assign(repeat=rows.groupby(SLOT, sort=False).cumcount())
