"""Do two square tables over the same few things go together? Rank correlation of their cells off the diagonal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spillover.stats.rates import NOTHING, Interval

EXACT = 7
"""So many things have 5040 orders, which are all tried; of more, `DRAWS` are drawn."""
DRAWS = 5000
LEAST = 4
ALMOST = 0.999


@dataclass(frozen=True)
class Association:
    """How two tables go together.

    Attributes:
        correlation: Spearman's, over the cells with both values off the diagonal; NaN for fewer than three or all alike.
        interval: At 95 %, by leaving out one thing after the other (its row and its column), on Fisher's scale with
            Student's t: cells that share a thing are no independent evidence.
        p: Share of the orders of the things whose correlation is as large in size (Mantel's test).
        cells: Number of cells.
        things: Number of things.
    """

    correlation: float
    interval: Interval
    p: float
    cells: int
    things: int


def associate(one: NDArray[np.float64], other: NDArray[np.float64], seed: int = 0) -> Association:
    """Compare two tables of shape (things, things); NaN is no value, such as a row that was not measured.

    Args:
        one: May be turned about in the test, so it should be the fuller one.
        other: The other.
        seed: Of drawn orders.
    """
    from itertools import permutations

    n = len(one)
    found, cells = _spearman(one, other)
    if math.isnan(found):
        return Association(math.nan, NOTHING, math.nan, cells, n)
    rng = np.random.default_rng(seed)
    orders = permutations(range(n)) if n <= EXACT else (rng.permutation(n) for _ in range(DRAWS))
    turned = [_spearman(one[np.ix_(o, o)], other)[0] for o in map(list, orders)]
    known = np.asarray([t for t in turned if not math.isnan(t)])
    hits = int((np.abs(known) >= abs(found) - 1e-12).sum())
    # The order that is there is one of them: counted among all of few, added to drawn ones.
    p = hits / len(known) if n <= EXACT else (1 + hits) / (1 + len(known))
    return Association(found, _jackknife(one, other, found), p, cells, n)


def _jackknife(one: NDArray[np.float64], other: NDArray[np.float64], found: float) -> Interval:
    from scipy.stats import t

    n = len(one)
    if n < LEAST or abs(found) > ALMOST:  # on Fisher's scale it lies beyond everything
        return NOTHING
    z = math.atanh(max(-ALMOST, min(ALMOST, found)))
    pseudo = []
    for left in range(n):
        kept = [i for i in range(n) if i != left]
        without = _spearman(one[np.ix_(kept, kept)], other[np.ix_(kept, kept)])[0]
        if not math.isnan(without):
            pseudo.append(n * z - (n - 1) * math.atanh(max(-ALMOST, min(ALMOST, without))))
    if len(pseudo) < LEAST:
        return NOTHING
    wide = float(t.ppf(0.975, len(pseudo) - 1)) * float(np.std(pseudo, ddof=1)) / math.sqrt(len(pseudo))
    return Interval(math.tanh(z - wide), math.tanh(z + wide))


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, int]:
    from scipy.stats import rankdata

    kept = ~np.eye(len(one), dtype=bool) & np.isfinite(one) & np.isfinite(other)
    x, y = one[kept], other[kept]
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan, len(x)
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1]), len(x)
