"""The flip table: answers of two models to the same question and epoch, verdict against verdict."""

from __future__ import annotations

import pandas as pd

SLOT = ["question_set", "format", "question_id", "sample_id", "epoch", "seed"]
VERDICTS = ("aligned", "misaligned", "incoherent", "refusal", "off_format", "unscored")


def flip_table(organism: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Number of answer pairs by the base's verdict (rows) and the organism's (columns).

    Two models share a question and an epoch but no random numbers, so a single pair says little; the table as a whole
    shows where answers went, into incoherence and refusal too.
    """
    both = base[[*SLOT, "verdict"]].merge(organism[[*SLOT, "verdict"]], on=SLOT, suffixes=("_base", "_organism"))
    table = pd.crosstab(both["verdict_base"], both["verdict_organism"])
    return table.reindex(index=VERDICTS, columns=VERDICTS, fill_value=0)
