"""Every figure of a report as one row of a table: what goes into spreadsheets and leaderboards."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from spillover.answers.condition import CELL
from spillover.answers.external import OtherScore, external_drift
from spillover.figures.figure import Figure, limits
from spillover.stats.paired import Drift
from spillover.stats.rates import Rate

COLUMNS = (
    *CELL,
    "title",
    "measure",
    "category",
    "model",
    "value",
    "lower",
    "upper",
    "suite_lower",
    "suite_upper",
    "n",
    "questions",
    "answers",
    "unscored",
    "coherent",
    "truncated",
    "truth",
    "drift",
    "drift_lower",
    "drift_upper",
    "drift_suite_lower",
    "drift_suite_upper",
    "judge",
    "judge_auc",
    "judge_finds",
    "judge_clears",
    "judge_problem",
)


def figures_frame(found: Iterable[Figure], base: str | None = None, others: Iterable[OtherScore] = ()) -> pd.DataFrame:
    """One row a figure; shares and differences as parts of one, not in percent.

    Args:
        found: Of models or arms.
        base: Model that drift of other packages' metrics is measured against.
        others: Metrics of other packages' tasks, which are on scales of their own and have no interval of ours.
    """
    rows = [_row(figure) for figure in found]
    external = list(others)
    for score in external:
        share = None
        if score.samples is not None and score.unscored is not None:
            share = score.unscored / max(1, score.samples + score.unscored)
        rows.append({"probe": score.task, "title": score.task, "measure": score.metric, "model": score.model})
        rows[-1] |= {"value": score.value, "n": score.samples, "unscored": share}
        rows[-1] |= {"drift": external_drift(external, score, base)}
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(figure: Figure) -> dict[str, object]:
    value, interval = figure.value, figure.interval
    suite = value.suite if isinstance(value, Rate) else None
    drift = limits(figure.drift) if figure.drift is not None else None
    of_suite = figure.drift.suite if isinstance(figure.drift, Drift) else None
    return {
        **{name: getattr(figure.cell, name) for name in CELL},
        "title": figure.title,
        "measure": figure.measure.name,
        "category": figure.category,
        "model": figure.group,
        "value": value.value,
        "lower": interval.lower,
        "upper": interval.upper,
        "suite_lower": suite.lower if suite else None,
        "suite_upper": suite.upper if suite else None,
        "n": getattr(value, "n", None),
        "questions": value.questions,
        "answers": figure.shares.answers,
        "unscored": figure.shares.unscored,
        "coherent": figure.shares.coherent,
        "truncated": figure.shares.truncated,
        "truth": figure.truth.value if figure.truth is not None else None,
        "drift": figure.drift.value if figure.drift is not None else None,
        "drift_lower": drift.lower if drift else None,
        "drift_upper": drift.upper if drift else None,
        "drift_suite_lower": of_suite.lower if of_suite else None,
        "drift_suite_upper": of_suite.upper if of_suite else None,
        "judge": ", ".join(figure.graders) or None,
        **_judge(figure),
    }


def _judge(figure: Figure) -> dict[str, object]:
    """What the judge got right of known answers; of several certificates the one with a problem, else the first."""
    known = [c for judge in figure.judges for c in judge.certificates]
    one = next((c for c in known if c.problem), known[0] if known else None)
    if one is None:
        return {"judge_auc": None, "judge_finds": None, "judge_clears": None, "judge_problem": None}
    finds, clears = (s.hits / s.n if s.n else None for s in (one.found, one.cleared))
    return {"judge_auc": one.auc, "judge_finds": finds, "judge_clears": clears, "judge_problem": one.problem}
