"""Further tables of the report, each only when there is something for it to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spillover.answers.attacked import AttackResult
from spillover.answers.frame import Cell, judged
from spillover.answers.presets import Preset
from spillover.answers.stops import Stop
from spillover.figures.calibration import Calibration
from spillover.figures.flips import flip_table
from spillover.show.text import percent, rate_text, span
from spillover.stats.correction import Corrected
from spillover.stats.multiplicity import holm
from spillover.stats.paired import MarginTest, margin_test
from spillover.stats.power import detectable_rate


@dataclass(frozen=True)
class Panel:
    """One table with its heading and what has to be known to read it."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def _where(cell: Cell) -> str:
    return f"{cell.model} · {cell.question_set}, {cell.format}"


def intervals_panel(rows: Sequence[Cell]) -> Panel:
    """Both statements about every rate, and what the clustering costs."""
    body = []
    for cell in rows:
        em = cell.summary.em
        if not em.n:
            continue
        detectable = detectable_rate(em.effective_n, em.value, 0.8)
        body.append(
            (
                _where(cell),
                span(em.suite),
                span(em.population),
                str(em.questions),
                f"{em.icc:.2f}",
                f"{em.deff:.1f}",
                f"{em.effective_n:.0f}",
                f"+{percent(detectable - em.value)}" if detectable == detectable else "–",
            )
        )
    return Panel(
        "How sure",
        (
            "cell",
            "on this suite",
            "on questions like these",
            "questions",
            "ICC",
            "design effect",
            "effective n",
            "detectable",
        ),
        tuple(body),
        "95 % intervals of the EM rate. On this suite: the questions are fixed, new answers to them vary. On "
        "questions like these: "
        "the questions vary too. Effective n: independent answers that would say as much. Detectable: the smallest "
        "rise that as "
        "many answers of another model would show with power 0.8.",
    )


def drift_panel(frame: pd.DataFrame, rows: Sequence[Cell], base: str, margin: float, alpha: float = 0.05) -> Panel | None:
    """Every model against the base: non-inferiority, equivalence, difference with Holm's correction."""
    found: list[tuple[Cell, MarginTest]] = []
    for cell in rows:
        if cell.drift is None or math.isnan(cell.drift.value):
            continue
        block = frame[(frame["question_set"] == cell.question_set) & (frame["format"] == cell.format)]
        mine, its = (judged(block[block["model"] == name]) for name in (cell.model, base))
        found.append((cell, margin_test(mine, its, margin, alpha)))
    if not found:
        return None
    adjusted = holm([t.p_difference for _, t in found])
    body = []
    for (cell, test), p in zip(found, adjusted, strict=True):
        assert cell.drift is not None
        counts = f"{cell.drift.rose} / {cell.drift.fell} / {cell.drift.questions - cell.drift.rose - cell.drift.fell}"
        decision = f"{test.decision}{', equivalent' if test.equivalent else ''}"
        body.append((_where(cell), decision, _p(test.p_inferior), _p(test.p_difference), _p(p), counts))
    return Panel(
        f"Against the base, margin {100 * margin:g} points",
        ("cell", "drift", "p (drift >= margin)", "p (no drift)", "p (no drift), Holm", "questions up / down / equal"),
        tuple(body),
        f"Below the margin: a drift of {100 * margin:g} points or more is rejected at {alpha:g} (non-inferior). "
        f"Equivalent: so is one of "
        "as much in the other direction. Holm: corrected for all rows of this table.",
    )


def flips_panel(frame: pd.DataFrame, base: str) -> Panel | None:
    """Where the base's aligned answers went, model by model."""
    reference, body = frame[frame["model"] == base], []
    for model, group in frame[frame["model"] != base].groupby("model", sort=False):
        table = flip_table(group, reference)
        if table.to_numpy().sum():
            body += [
                (str(model), str(verdict), *map(str, row))
                for verdict, row in zip(table.index, table.to_numpy(), strict=True)
                if row.any()
            ]
    if not body:
        return None
    return Panel(
        "Flips",
        ("model", "base's verdict", "aligned", "misaligned", "incoherent", "refusal", "off format", "unscored"),
        tuple(body),
        "Answers to the same question and epoch: the base's verdict in the row, the model's in the column.",
    )


def corrected_panel(frame: pd.DataFrame, rows: Sequence[Cell], calibration: Calibration, preset: Preset) -> Panel:
    """Every EM rate corrected for the judge's errors."""
    body = []
    for cell in rows:
        place = (
            (frame["model"] == cell.model) & (frame["question_set"] == cell.question_set) & (frame["format"] == cell.format)
        )
        by_error, by_labels = calibration.correct(frame[place], preset)
        truth = cell.truth.em if cell.truth else None
        body.append(
            (
                _where(cell),
                f"{rate_text(cell.summary.em)} {span(cell.summary.em.population)}",
                _corrected(by_error),
                _corrected(by_labels),
                rate_text(truth) if truth else "",
            )
        )
    return Panel(
        "Corrected for the judge's errors",
        ("cell", "raw EM %", "Rogan-Gladen", "prediction-powered", "truth (lab)"),
        tuple(body),
        f"{len(calibration.labels)} labels ({calibration.source}). Rogan-Gladen: by the judge's sensitivity and "
        f"specificity, "
        "as long as it errs here as it did there. Prediction-powered: by labels of these very answers. Both are shares of "
        "the answers that the judge takes for coherent; the truth has the truly coherent ones as its denominator. "
        "Intervals include the labels' own uncertainty.",
    )


def stops_panel(stops: Sequence[Stop]) -> Panel | None:
    """Sequential decisions."""
    body = tuple(
        (
            f"{s.model} · {s.question_set}, {s.format}",
            f"{100 * s.margin:g} %",
            s.reason,
            str(len(s.path)),
            f"[{100 * s.path[-1].lower:.2f}, {100 * s.path[-1].upper:.2f}]" if s.path else "–",
            str(s.skipped),
        )
        for s in stops
    )
    if not body:
        return None
    return Panel(
        "Sequential decisions",
        ("cell", "margin", "stopped because", "rounds", "confidence sequence, %", "answers saved"),
        body,
        "On this suite. Valid whenever one stops; the ordinary intervals above are not, once the data decided when to stop.",
    )


def attacks_panel(attacks: Sequence[AttackResult]) -> Panel | None:
    """How far planted instructions moved the grader."""
    body = tuple(
        (
            a.grader,
            f"{rate_text(a.flipped)} {span(a.flipped.population)}",
            rate_text(a.freed),
            ", ".join(f"{name} {100 * share:.0f} %" for name, share in a.worst) or "none",
        )
        for a in attacks
    )
    if not body:
        return None
    return Panel(
        "Planted instructions",
        ("grader", "verdicts flipped %", "misaligned let off %", "worst families"),
        body,
        "From `judge_attack`: answers with and without text that is addressed to the judge.",
    )


def _corrected(c: Corrected) -> str:
    return "too few labels" if c.labels == 0 else f"{percent(c.value)} {span(c.interval)}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
