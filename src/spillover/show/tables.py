"""Tables of the report from lists of figures, each only when there is something for it to say."""

from __future__ import annotations

from collections.abc import Sequence

from spillover.answers.condition import titles, with_questions
from spillover.answers.external import OtherScore, external_drift
from spillover.answers.measures import EM, UNSCORED, outcome_shares
from spillover.answers.read import Answers
from spillover.answers.stops import Stop
from spillover.answers.table import cell_groups
from spillover.figures.agreement import agreement
from spillover.figures.comparisons import POOLED, format_effects, margin_tests
from spillover.figures.figure import Figure
from spillover.figures.flips import flip_table
from spillover.show.text import (
    CONDITIONS,
    Panel,
    drift_text,
    limits_text,
    p_text,
    percent,
    rate_text,
    span,
    stop_titles,
    struck,
    suite_text,
    value_text,
)
from spillover.stats.power import detectable_rate
from spillover.stats.rates import Rate

TELLING = 10
"""Hits, and misses, below which the ICC and what follows from it are the prior's and not the data's."""


def figures_panel(found: Sequence[Figure], drift: bool) -> Panel:
    """Every measure of every model, with what stands beside it."""
    exact = any(f.truth is not None for f in found)
    body, last = [], ("", "")
    for f in found:
        place = (f.title, f.measure.name)
        row = [f"{f.title}: {f.measure.name}" if place != last else "", f.group]
        row += [struck(value_text(f.value, f.measure.mean), f.blind), suite_text(f.value)]
        row += [limits_text(f.value, f.measure.mean)]
        row += [struck(drift_text(f.drift), f.blind)] if drift else []
        row += [value_text(f.truth, f.measure.mean) if f.truth is not None else ""] if exact else []
        body.append((*row, percent(f.shares.coherent), percent(f.shares.unscored), percent(f.shares.truncated)))
        last = place
    headers = ["measure", "model", "figure", "on this suite", "questions like these"]
    headers += ["drift, points"] if drift else []
    headers += [*(["truth (lab)"] if exact else []), "coherent %", "unscored %", "cut %"]
    return Panel("Figures", tuple(headers), tuple(body), CONDITIONS)


def categories_panel(found: Sequence[Figure]) -> Panel | None:
    """The first measure of every probe by category."""
    body, last = [], ("", "")
    for f in sorted(found, key=lambda f: (f.title, f.group)):
        place = (f.title, f.group)
        title = f"{f.title}: {f.measure.name}" if place != last else ""
        body.append(
            (
                title,
                f.group,
                str(f.category),
                struck(value_text(f.value, f.measure.mean), f.blind),
                limits_text(f.value, f.measure.mean),
            )
        )
        last = place
    if not body:
        return None
    note = "The first measure of each probe by category: does what was trained in one domain spill over to others?"
    return Panel("By category", ("measure", "model", "category", "figure", "95 % interval"), tuple(body), note)


def outcomes_panel(answers: Answers) -> Panel:
    """What became of all answers."""
    groups = list(cell_groups(answers.table))
    names, body = titles(cell for cell, _ in groups), []
    for cell, rows in groups:
        for model, part in rows.groupby("model", sort=False, observed=True):
            shares = ", ".join(f"{name} {percent(share)}" for name, share in outcome_shares(part).items())
            why = part.loc[(part["outcome"] == UNSCORED).to_numpy(), "unscored_reason"].astype(object).fillna("unknown")
            reasons = ", ".join(f"{n} {reason}" for reason, n in why.value_counts().items())
            body.append((names[cell], str(model), str(len(part)), shares, reasons))
    note = "Every answer, in percent: also those that are in no denominator above (incoherent, idle, unknown, unscored)."
    headers = ("probe", "model", "answers", "outcomes", "unscored because")
    return Panel("What became of all answers", headers, tuple(body), note)


def agreement_panel(answers: Answers) -> Panel | None:
    """Judge against what is known, where anything is."""
    groups = list(cell_groups(answers.table))
    names, body = titles(cell for cell, _ in groups), []
    for cell, rows in groups:
        measure = answers.share(rows)
        for model, part in rows.groupby("model", sort=False, observed=True):
            found = agreement(part, measure) if measure is not None else None
            if found is not None:
                quality = (f"{percent(r.value)} ({r.hits}/{r.n})" for r in (found.sensitivity, found.specificity))
                body.append((names[cell], str(model), rate_text(found.same), span(found.same.population), *quality))
    if not body:
        return None
    note = (
        "Same: the judge's outcome is the exact one, by the lab's labels or by what was done, among the answers that the "
        "probe's first share of outcomes is about. Sensitivity and specificity: of what it counts."
    )
    headers = ("probe", "model", "same %", "95 % interval", "sensitivity %", "specificity %")
    return Panel("Judge against what is known", headers, tuple(body), note)


def intervals_panel(found: Sequence[Figure]) -> Panel | None:
    """Both statements about every rate, and what the clustering costs."""
    body = []
    for f in found:
        rate = f.value
        if not isinstance(rate, Rate) or not rate.n:
            continue
        row = [f"{f.group} · {f.title}: {f.measure.name}", span(rate.suite), span(rate.population), str(rate.questions)]
        if min(rate.hits, rate.n - rate.hits) < TELLING:
            body.append((*row, "–", "–", "–", "–"))
            continue
        detectable = detectable_rate(rate.effective_n, rate.value, 0.8)
        row += [f"{rate.icc:.2f}", f"{rate.deff:.1f}", f"{rate.effective_n:.0f}"]
        body.append((*row, f"+{percent(detectable - rate.value)}" if detectable == detectable else "–"))
    if not body:
        return None
    headers = (
        "figure",
        "on this suite",
        "on questions like these",
        "questions",
        "ICC",
        "design effect",
        "effective n",
        "detectable",
    )
    return Panel(
        "How sure",
        headers,
        tuple(body),
        "95 % intervals. On this suite: the questions are fixed, new answers to them vary. On questions like these: the "
        "questions vary too. Effective n: independent answers that would say as much. Detectable: the smallest rise that as "
        "many answers of another model would show with power 0.8. A dash: so few hits (or misses) do not tell the ICC.",
    )


def drift_panel(answers: Answers, found: Sequence[Figure], base: str, margin: float, alpha: float = 0.05) -> Panel | None:
    """Every model against the base in the headline of every probe."""
    body = []
    for tested in margin_tests(answers, found, base, margin, alpha):
        drift, test, figure = tested.figure.drift, tested.test, tested.figure
        assert drift is not None
        rose, fell = getattr(drift, "rose", 0), getattr(drift, "fell", 0)
        decision = f"{test.decision}{', equivalent' if test.equivalent else ''}"
        counts = f"{rose} / {fell} / {drift.questions - rose - fell}"
        row = (f"{figure.group} · {figure.title}: {figure.measure.name}", decision, p_text(test.p_inferior))
        body.append((*row, p_text(test.p_difference), p_text(tested.p_holm), counts))
    if not body:
        return None
    return Panel(
        f"Against the base, margin {100 * margin:g} points",
        ("figure", "drift", "p (drift >= margin)", "p (no drift)", "p (no drift), Holm", "questions up / down / equal"),
        tuple(body),
        f"Drift in the bad direction. Below the margin: one of {100 * margin:g} points or more is rejected at {alpha:g} "
        "(non-inferior). Equivalent: so is one of as much in the other direction. Holm: corrected for all rows.",
    )


def flips_panel(answers: Answers, base: str) -> Panel | None:
    """Where the base's answers went, model by model and probe by probe."""
    body = []
    for cell, rows in cell_groups(answers.table):
        reference = rows[(rows["model"] == base).to_numpy()]
        for model, part in rows.groupby("model", sort=False, observed=True):
            if model == base:
                continue
            table = flip_table(part, reference)
            for before, row in zip(table.index, table.to_numpy(), strict=True):
                if row.any():
                    went = ", ".join(f"{name} {n}" for name, n in zip(table.columns, row, strict=True) if n)
                    where = ", ".join(filter(None, (cell.probe, cell.condition)))
                    body.append((str(model), with_questions(where, cell.question_set), str(before), went))
    if not body:
        return None
    note = "Answers to the same question and epoch: what became of those that were so for the base."
    return Panel("Flips", ("model", "probe", "the base's outcome", "the model's outcomes"), tuple(body), note)


def formats_panel(answers: Answers) -> Panel | None:
    """How much more often a model is misaligned when it answers in another format, on the same questions."""
    body = tuple(
        (with_questions(e.probe, e.question_set), e.model, e.format, drift_text(e.drift))
        for e in format_effects(answers, EM)
        if e.drift is None or e.drift.value == e.drift.value or e.model == POOLED
    )
    if not body:
        return None
    note = (
        "EM rate in this format minus that in plain answers to the same questions, in points, with its 95 % interval for "
        "questions like these; pooled, each model's questions are units of their own."
    )
    return Panel("Format effect", ("questions", "model", "format", "effect on the EM rate"), body, note)


def stops_panel(stops: Sequence[Stop]) -> Panel | None:
    """Sequential decisions."""
    names = stop_titles(stops)
    body = tuple(
        (
            f"{s.model} · {names[s.cell]}",
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


def external_panel(found: Sequence[OtherScore], base: str | None = None) -> Panel | None:
    """Other packages' own metrics, with the difference from the base where there is one."""
    body = []
    for s in sorted(found, key=lambda s: (s.task, s.metric)):
        cells = [s.task, s.metric, s.model, f"{s.value:.3f}", "" if s.stderr is None else f"{s.stderr:.3f}"]
        cells += ["–" if count is None else str(count) for count in (s.samples, s.unscored)]
        if base:
            gap = external_drift(found, s, base)
            cells.append("" if gap is None else f"{gap:+.3f}")
        body.append(tuple(cells))
    if not body:
        return None
    headers = ("task", "metric", "model", "value", "standard error", "samples", "unscored", *(("drift",) if base else ()))
    note = "Scored by their packages' own scorers, on their own scales; this report has no intervals for them."
    return Panel("Other tasks", headers, tuple(body), note)
