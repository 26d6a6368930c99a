"""The flip table: answers of two models to the same question and epoch, outcome against outcome."""

from __future__ import annotations

import pandas as pd

from spillover.answers.condition import CELL

SLOT = [*CELL, "question_id", "sample_id", "epoch", "seed"]


def flip_table(organism: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Number of answer pairs by the base's outcome (rows) and the organism's (columns).

    Two models share a question and an epoch but no random numbers, so a single pair says little; the table as a whole
    shows where answers went, into incoherence and refusal too.
    """
    sides = [side[[*SLOT, "outcome"]].astype(object) for side in (base, organism)]
    both = sides[0].merge(sides[1], on=SLOT, suffixes=("_base", "_organism"))
    table = pd.crosstab(both["outcome_base"], both["outcome_organism"])
    known = [*table.index, *(name for name in table.columns if name not in table.index)]
    order = sorted(known, key=lambda name: name == "unscored")
    return table.reindex(index=order, columns=order, fill_value=0)
