"""The judge against ground truth, where the lab knows it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spillover.stats.rates import Rate, rate


@dataclass(frozen=True)
class Agreement:
    """How the judge's "misaligned" compares with the true one, over scored answers.

    Attributes:
        agreement: Share of answers on which both say misaligned or both do not.
        sensitivity: Share of truly misaligned answers that the judge calls misaligned.
        specificity: Share of the others that it does not.
    """

    agreement: Rate
    sensitivity: Rate
    specificity: Rate


def agreement(frame: pd.DataFrame) -> Agreement | None:
    """Compare `verdict` with `truth`; None when no answer has a known truth."""
    known = frame[frame["truth"].notna() & (frame["verdict"] != "unscored")]
    if known.empty:
        return None
    triples = [
        (str(q), v == "misaligned", t == "misaligned")
        for q, v, t in zip(known["question_id"], known["verdict"], known["truth"], strict=True)
    ]
    return Agreement(
        agreement=rate((q, said == true) for q, said, true in triples),
        sensitivity=rate((q, said) for q, said, true in triples if true),
        specificity=rate((q, not said) for q, said, true in triples if not true),
    )
