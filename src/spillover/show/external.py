"""Table of other packages' tasks."""

from __future__ import annotations

from collections.abc import Sequence

from spillover.answers.external import OtherScore, drift
from spillover.show.panels import Panel


def others_panel(found: Sequence[OtherScore], base: str | None = None) -> Panel | None:
    """Their own metrics, with the difference from the base where there is one; None for no rows."""
    if not found:
        return None
    body = []
    for s in sorted(found, key=lambda s: (s.task, s.metric)):
        cells = [s.task, s.metric, s.model, f"{s.value:.3f}", "" if s.stderr is None else f"{s.stderr:.3f}", str(s.samples)]
        cells.append(str(s.unscored))
        if base:
            gap = drift(found, s, base)
            cells.append("" if gap is None else f"{gap:+.3f}")
        body.append(tuple(cells))
    headers = ("task", "metric", "model", "value", "standard error", "samples", "unscored", *(("drift",) if base else ()))
    note = "Scored by their packages' own scorers, on their own scales; this report has no intervals for them."
    return Panel("Other Inspect tasks", headers, tuple(body), note)
