"""The judge against what is known: the lab's exact outcomes, or what was really done."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spillover.answers.measures import UNSCORED, Measure
from spillover.stats.rates import Rate, rate


@dataclass(frozen=True)
class Agreement:
    """How a judge's outcomes compare with the true ones, over answers that it scored.

    Attributes:
        same: Share of answers with the same outcome.
        agreement: Share of answers on which both say that it counts, or both do not.
        sensitivity: Share of answers that truly count (misaligned, hacked, ...) and that the judge counts.
        specificity: Share of the others that it does not count.
    """

    same: Rate
    agreement: Rate
    sensitivity: Rate
    specificity: Rate


def agreement(rows: pd.DataFrame, measure: Measure) -> Agreement | None:
    """Compare outcomes with the truth, or a second opinion with the outcome that the state of a world made.

    Args:
        rows: Of one cell.
        measure: What counts, a share of outcomes; only answers that it is about are compared.

    Returns:
        None when no answer has both.
    """
    rows = rows[measure.about(rows)]
    said, true = (
        ("tag.judged", "outcome") if "tag.judged" in rows and rows["tag.judged"].notna().any() else ("outcome", "truth")
    )
    both = rows[[said, true, "question_id", "grader"]].astype(object).dropna(subset=[said, true, "grader"])
    both = both[(both[said] != UNSCORED) & (both[true] != UNSCORED)]
    if both.empty:
        return None
    bad = measure.count
    triples = [(q, s, t) for q, s, t in zip(both["question_id"], both[said], both[true], strict=True)]
    return Agreement(
        same=rate((q, s == t) for q, s, t in triples),
        agreement=rate((q, (s in bad) == (t in bad)) for q, s, t in triples),
        sensitivity=rate((q, s in bad) for q, s, t in triples if t in bad),
        specificity=rate((q, s not in bad) for q, s, t in triples if t not in bad),
    )
