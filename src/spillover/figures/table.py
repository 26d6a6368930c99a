"""Every figure of a run as one row of a table: what goes into spreadsheets and leaderboards."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from spillover.answers.external import OtherScore, drift
from spillover.answers.frame import cells
from spillover.answers.outcomes import ProbeRun, figures
from spillover.stats.paired import Drift
from spillover.stats.rates import Interval, Rate

COLUMNS = (
    "probe",
    "measure",
    "model",
    "value",
    "lower",
    "upper",
    "n",
    "questions",
    "unscored",
    "drift",
    "drift_lower",
    "drift_upper",
)


def figures_frame(
    runs: Iterable[ProbeRun], frame: pd.DataFrame, base: str | None = None, others: Iterable[OtherScore] = ()
) -> pd.DataFrame:
    """One row per probe, measure and model; shares and differences as parts of one, not in percent.

    Args:
        runs: Outcome probes.
        frame: Answers with EM verdicts.
        base: Model that drift is measured against.
        others: Metrics of other packages' tasks, which are on scales of their own and have no interval of ours.
    """
    rows = [
        _row(
            "em",
            f"{c.question_set}, {c.format}",
            c.model,
            c.summary.em.value,
            c.summary.em.population,
            c.summary.em,
            c.drift,
        )
        | {"unscored": c.summary.share("unscored")}
        for c in cells(frame, base)
    ]
    for f in figures(runs, base):
        limits = f.value.interval if isinstance(f.value, Drift) else f.value.population
        rows.append(
            _row(f.probe, f.measure.name, f.model, f.value.value, limits, f.value, f.drift) | {"unscored": f.unscored}
        )
    found = list(others)
    for o in found:
        share = o.unscored / max(1, o.samples + o.unscored)
        rows.append({"probe": o.task, "measure": o.metric, "model": o.model, "value": o.value, "n": o.samples})
        rows[-1] |= {"unscored": share, "drift": drift(found, o, base)}
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    probe: str, measure: str, model: str, value: float, limits: Interval, figure: object, drift: Drift | None
) -> dict[str, object]:
    return {
        "probe": probe,
        "measure": measure,
        "model": model,
        "value": value,
        "lower": limits.lower,
        "upper": limits.upper,
        "n": figure.n if isinstance(figure, Rate) else getattr(figure, "n", None),
        "questions": getattr(figure, "questions", None),
        "drift": drift.value if drift else None,
        "drift_lower": drift.interval.lower if drift else None,
        "drift_upper": drift.interval.upper if drift else None,
    }
