"""How well a score ranks bad below good."""

from __future__ import annotations

import math

import numpy as np


def auc(bad: np.ndarray, score: np.ndarray) -> float:
    """Chance that a bad answer has a lower score than a good one (ties count half); NaN without both.

    Args:
        bad: Truth values, shape (answers,).
        score: Finite numbers, shape (answers,).
    """
    from scipy.stats import rankdata

    n, m = int(bad.sum()), int((~bad).sum())
    if not n or not m:
        return math.nan
    ranks = rankdata(score)
    return float(1 - (ranks[bad].sum() - n * (n + 1) / 2) / (n * m))
