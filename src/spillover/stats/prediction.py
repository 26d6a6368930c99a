"""How well a number that is known before any answer is judged tells which models drift."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spillover.stats.ranking import auc
from spillover.stats.rates import NOTHING, Interval

DRAWS = 1000


@dataclass(frozen=True)
class Prediction:
    """One predictor over models.

    Attributes:
        models: Number of them.
        groups: Number of groups (recipes) that they belong to.
        correlation: Spearman's, of predictor and drift.
        interval: Of it, at 95 %, by resampling whole groups.
        auc: Chance that a model that drifts has a larger predictor than one that does not; NaN without both.
        drifted: Number of models that drift by more than the margin.
        left_out: Share of models that are told right by the threshold of all other groups; NaN where there is none.
    """

    models: int
    groups: int
    correlation: float
    interval: Interval
    auc: float
    drifted: int
    left_out: float


def predict(
    values: Sequence[float],
    drifts: Sequence[float],
    groups: Sequence[str],
    margin: float,
    seed: int = 0,
    folds: Mapping[str, Sequence[float]] | None = None,
) -> Prediction:
    """Compare a predictor with what was measured.

    Args:
        values: One for each model; larger means more drift is expected.
        drifts: Measured, as shares.
        groups: Of each model, such as its recipe: models of one are no independent evidence.
        margin: Drift above which a model counts as drifted.
        seed: Of the resampling.
        folds: Group to the numbers that all models have where that group was left out of making the predictor; each model
            then counts with its number of its own group's fold, in standard deviations of the others there.
    """
    x, y, names = np.asarray(values, float), np.asarray(drifts, float), np.asarray(groups)
    apart = {name: np.asarray(its, float) for name, its in (folds or {}).items()}
    for name, its in apart.items():
        mine = names == name
        spread = float(np.std(its[~mine])) if (~mine).any() else 0.0
        if spread > 0:
            x = np.where(mine, (its - float(np.mean(its[~mine]))) / spread, x)
    kept = np.isfinite(x) & np.isfinite(y)
    x, y, names = x[kept], y[kept], names[kept]
    known = list(dict.fromkeys(names.tolist()))
    bad = y > margin
    of_fold = {name: its[kept] for name, its in apart.items()}
    right = [bool(told == b) for told, b in _left_out(x, bad, names, known, of_fold)]
    return Prediction(
        len(x), len(known), _spearman(x, y), _interval(x, y, names, known, seed), auc(bad, -x) if len(x) else math.nan,
        int(bad.sum()), float(np.mean(right)) if right else math.nan,
    )  # fmt: skip


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    from scipy.stats import rankdata

    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _interval(x: np.ndarray, y: np.ndarray, names: np.ndarray, known: list[str], seed: int) -> Interval:
    if len(known) < 4:  # three recipes resampled are mostly one and the same
        return NOTHING
    rng = np.random.default_rng(seed)
    places = {name: np.flatnonzero(names == name) for name in known}
    drawn = []
    for _ in range(DRAWS):
        rows = np.concatenate([places[name] for name in rng.choice(known, len(known))])
        drawn.append(_spearman(x[rows], y[rows]))
    found = np.asarray([v for v in drawn if not math.isnan(v)])
    return Interval(*np.quantile(found, [0.025, 0.975]).tolist()) if len(found) > DRAWS // 2 else NOTHING


def _left_out(
    x: np.ndarray, bad: np.ndarray, names: np.ndarray, known: list[str], folds: Mapping[str, np.ndarray]
) -> list[tuple[bool, bool]]:
    """(told, true) of each model, told by the threshold that is best for all groups but its own."""
    out = []
    for name in known:
        mine, values = names == name, folds.get(name, x)
        others, truth = values[~mine], bad[~mine]
        if truth.all() or not truth.any():
            continue
        cuts = np.unique(others)
        cuts = np.concatenate([[-np.inf], (cuts[1:] + cuts[:-1]) / 2])
        # Sensitivity and specificity weigh the same, so that a rare kind is not passed over.
        worth = [(others[truth] > c).mean() + (others[~truth] <= c).mean() for c in cuts]
        best = float(cuts[int(np.argmax(worth))])
        out += [(bool(v > best), bool(b)) for v, b in zip(values[mine], bad[mine], strict=True)]
    return out
