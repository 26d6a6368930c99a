"""Likeness of updates, module by module, as curves over the layers and as means of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.mechanism.likeness import Inner, Likeness

MEASURES = ("cosine", "angle", "overlap")


@dataclass(frozen=True)
class Curve:
    """One kind of pair on one side at one k.

    Attributes:
        name: Of the pair, or of a group of pairs.
        side: `right` or `left`.
        k: Number of singular vectors.
        pairs: How many pairs it is the mean of.
        layers: Numbers from 0.
        values: Measure to its mean over modules and pairs, layer by layer.
        chance: The same for random subspaces.
        shared: The same for subspaces that share a beginning; None where no pair does.
        inner: Cosine of the whole updates, layer by layer.
    """

    name: str
    side: str
    k: int
    pairs: int
    layers: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]
    chance: Mapping[str, tuple[float, ...]]
    shared: Mapping[str, tuple[float, ...]] | None
    inner: tuple[float, ...]

    def mean(self, measure: str) -> float:
        """Over the layers."""
        return _mean(self.values[measure])

    def chance_mean(self, measure: str) -> float:
        """Over the layers."""
        return _mean(self.chance[measure])

    def shared_mean(self, measure: str) -> float:
        """Over the layers; NaN without a shared beginning."""
        return _mean(self.shared[measure]) if self.shared else math.nan


def by_layer(curve: Curve) -> Iterator[dict[str, object]]:
    """One row for every layer, with the nulls in columns of their own."""
    for place, layer in enumerate(curve.layers):
        row: dict[str, object] = {k: getattr(curve, k) for k in ("name", "side", "k", "pairs")} | {"layer": layer}
        for measure in MEASURES:
            row[measure] = curve.values[measure][place]
            row[f"chance_{measure}"] = curve.chance[measure][place]
            row[f"shared_{measure}"] = curve.shared[measure][place] if curve.shared else None
        yield {**row, "inner": curve.inner[place] if curve.inner else None}


def frame(likeness: Sequence[Likeness]) -> pd.DataFrame:
    """One row for every pair, module, side and k, with the nulls in columns of their own."""
    rows = []
    for x in likeness:
        row: dict[str, object] = {k: getattr(x, k) for k in ("one", "other", "layer", "module", "side", "k", *MEASURES)}
        for name, null in (("chance", x.chance), ("shared", x.shared)):
            row |= {f"{name}_{m}": null[i] if null else None for i, m in enumerate(MEASURES)}
        rows.append(row)
    return pd.DataFrame(rows)


def curves(
    likeness: Sequence[Likeness], inner: Sequence[Inner], groups: Mapping[tuple[str, str], str] | None = None
) -> list[Curve]:
    """Curves over the layers.

    Args:
        likeness: From `spillover.mechanism.subspaces.compare`.
        inner: From the same.
        groups: Pair to the name of its group; pairs that are in none are left out. Each pair by itself for None.
    """
    named = groups if groups is not None else {(x.one, x.other): f"{x.one} – {x.other}" for x in likeness}
    table = frame([x for x in likeness if (x.one, x.other) in named])
    if table.empty:
        return []
    table["group"] = [named[pair] for pair in zip(table["one"], table["other"], strict=True)]
    whole = pd.DataFrame(
        [{"group": named[x.one, x.other], "layer": x.layer, "cosine": x.cosine} for x in inner if (x.one, x.other) in named]
    )
    along = whole.groupby(["group", "layer"])["cosine"].mean()
    out = []
    for name in dict.fromkeys(named.values()):
        for side in ("right", "left"):
            mine = table[(table["group"] == name).to_numpy() & (table["side"] == side).to_numpy()]
            for k in sorted(mine["k"].unique()):
                part = mine[(mine["k"] == k).to_numpy()]
                means = part.groupby("layer").mean(numeric_only=True)
                layers = tuple(int(n) for n in means.index)
                values, chance = ({m: tuple(means[f"{p}{m}"]) for m in MEASURES} for p in ("", "chance_"))
                alike = bool(part["shared_overlap"].notna().any())
                shared = {m: tuple(means[f"shared_{m}"]) for m in MEASURES} if alike else None
                pairs = len(part[["one", "other"]].drop_duplicates())
                cosines = tuple(float(along[name, layer]) for layer in layers)
                out.append(Curve(name, side, int(k), pairs, layers, values, chance, shared, cosines))
    return out


def shown_k(found: Sequence[Curve]) -> int:
    """The k that a table shows: the largest at which a shared beginning does not decide everything by itself."""
    ks = sorted({c.k for c in found})
    able = [k for k in ks if all(not c.shared or c.shared_mean("overlap") < 1 for c in found if c.k == k)]
    return (able or ks)[-1]


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan
