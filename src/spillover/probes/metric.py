"""Every measure of a probe as one Inspect metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from inspect_ai.scorer import Metric, SampleScore, Value, metric

from spillover.answers.measures import UNSCORED, Measure
from spillover.stats.paired import Drift


@metric(name="measures", scores="unreduced")
def measures(specs: list[dict[str, Any]], level: float = 0.95) -> Metric:
    """Every measure of a probe with its interval, and the shares unscored and incoherent.

    Every epoch of a sample is one answer and the question is the unit of the interval. Never raises on degenerate input,
    so it is safe in Inspect's live display.

    Args:
        specs: `Measure.as_dict()` of each.
        level: Confidence level of the intervals, which are for questions like these.
    """
    chosen = [Measure.from_dict(spec) for spec in specs]

    def compute(scores: list[SampleScore]) -> Value:
        table = _table(scores)
        out: dict[str, float] = {}
        for spec in chosen:
            found = spec.figure(table, level=level)
            limits = found.interval if isinstance(found, Drift) else found.population
            out |= {spec.name: found.value, f"{spec.name} lower": limits.lower, f"{spec.name} upper": limits.upper}
        for word in (UNSCORED, "incoherent"):
            out[word] = float((table["outcome"] == word).mean()) if len(table) else float("nan")
        out["answers"] = len(table)
        return out

    return compute


def _table(scores: list[SampleScore]) -> pd.DataFrame:
    rows = []
    for item in scores:
        about, value = item.sample_metadata or {}, item.score.value
        known: Mapping[str, Any] = value if isinstance(value, Mapping) and "outcome" in value else {"outcome": UNSCORED}
        tags = {**(about.get("tags") or {}), **((item.score.metadata or {}).get("tags") or {})}
        rows.append(
            {
                "question_id": str(about.get("question_id", item.sample_id)),
                "category": str(about.get("category", "")),
                "outcome": str(known["outcome"]),
                "value": known.get("value"),
                **{f"tag.{name}": str(tag) for name, tag in tags.items()},
            }
        )
    return pd.DataFrame(rows, columns=None if rows else ["question_id", "category", "outcome", "value"])
