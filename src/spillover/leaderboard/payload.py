"""The site's data files: an index that is loaded at once, and one file a model that is loaded when it is opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from spillover import __version__
from spillover.answers.frame import judged, with_preset
from spillover.answers.outcomes import ProbeRun, by_category
from spillover.answers.presets import general
from spillover.figures.flips import VERDICTS, flip_table
from spillover.leaderboard.board import Board, Column, Entry, Value, ranks
from spillover.stats.paired import Drift
from spillover.stats.summary import summarise

ANSWERS_PER_PROBE = 60
"""Most answers that are shown of one probe of one model."""
PAIRED = 40
"""Up to so many models every pair is compared; above it only those that share a family."""


def numbers(value: Value | None) -> list[float | int] | None:
    """[value, lower, upper, n, questions, unscored], rounded to what a page shows."""
    if value is None:
        return None
    rounded = [round(x, 5) for x in (value.value, value.lower, value.upper)]
    return [*rounded, value.n, value.questions, round(value.unscored, 5)]


def index(
    board: Board, frame: pd.DataFrame, runs: Sequence[ProbeRun], title: str, lab: bool, bundle: bool
) -> dict[str, Any]:
    """What the table and the overviews need."""
    return {
        "title": title,
        "lab": lab,
        "bundle": bundle,
        "version": __version__,
        "columns": [vars(c) for c in board.columns],
        "models": [_model(board, e) for e in board.entries],
        "multiverse": _multiverse(frame),
        "matrix": _matrix(board, frame, runs),
    }


def _model(board: Board, entry: Entry) -> dict[str, Any]:
    cells = {c.key: numbers(entry.sources[c.key].value) for c in board.columns if c.key in entry.sources}
    return {"slug": entry.slug, "name": entry.name, "about": entry.about, "judges": list(entry.judges), "cells": cells}


def add_ranks(board: Board, data: dict[str, Any]) -> None:
    """Put the range of ranks beside every figure of the index."""
    for column in board.columns:
        values = [(e.name, e.sources[column.key].value) for e in board.entries if column.key in e.sources]
        found = ranks(values, column.worse)
        for model in data["models"]:
            if model["name"] in found:
                model.setdefault("ranks", {})[column.key] = list(found[model["name"]])


def _multiverse(frame: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """Question set and format to model to [rate, lower, upper, n] a preset, in the order of `presets`."""
    scored = frame[frame["alignment"].notna()]
    out: dict[str, Any] = {"presets": [preset.name for preset in general()], "cells": {}}
    for preset in general() if len(scored) else ():
        verdicts = with_preset(scored, preset)
        for (questions, fmt, model), group in verdicts.groupby(["question_set", "format", "model"], sort=False):
            em = summarise(judged(group)).em
            place = out["cells"].setdefault(f"{questions}, {fmt}", {}).setdefault(str(model), [])
            limits = em.population
            place.append(None if em.n == 0 else [*(round(x, 5) for x in (em.value, limits.lower, limits.upper)), em.n])
    return out


def _matrix(board: Board, frame: pd.DataFrame, runs: Sequence[ProbeRun]) -> list[dict[str, Any]]:
    """Trained domain by measured domain: the first measure of every probe by category, and the EM rate by category."""
    trained = {e.name: e.about.get("domain", "") for e in board.entries}
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for (questions, fmt, model, category), group in frame.groupby(
        ["question_set", "format", "model", "category"], sort=False
    ):
        em = summarise(judged(group)).em
        if em.n:
            limits = em.population
            row = tables.setdefault(f"misaligned, {questions}, {fmt}", {}).setdefault(str(model), {})
            row[str(category)] = [round(x, 4) for x in (em.value, limits.lower, limits.upper)] + [em.n]
    for probe, measure, model, found in by_category(runs):
        for category, figure in found.items():
            if figure.n:
                row = tables.setdefault(f"{probe}: {measure.name}", {}).setdefault(model, {})
                limits = figure.population
                row[category] = [round(x, 4) for x in (figure.value, limits.lower, limits.upper)] + [figure.n]
    return [
        {
            "title": title,
            "measured": list(dict.fromkeys(c for row in rows.values() for c in row)),
            "rows": [{"model": m, "trained": trained.get(m, ""), "cells": row} for m, row in rows.items()],
        }
        for title, rows in tables.items()
        if any(len(row) > 1 for row in rows.values())
    ]


def model_file(
    board: Board, entry: Entry, frame: pd.DataFrame, runs: Sequence[ProbeRun], about: dict[str, Any]
) -> dict[str, Any]:
    """What a model's page and a comparison with it need."""
    others = [e for e in board.entries if e is not entry]
    if len(board.entries) > PAIRED:
        others = [e for e in others if e.about.get("family") == entry.about.get("family")][:PAIRED]
    mine = frame[frame["model"] == entry.name]
    return {
        "slug": entry.slug,
        "questions": {key: source.questions() for key, source in entry.sources.items()},
        "pairs": {other.slug: _pair(board.columns, entry, other) for other in others},
        "flips": {other.slug: _flips(mine, frame[frame["model"] == other.name]) for other in others},
        "answers": _answers(mine) + _outcomes(r for r in runs if r.model == entry.name),
        "provenance": about,
    }


def _pair(columns: Sequence[Column], entry: Entry, other: Entry) -> dict[str, list[float | int]]:
    found = {}
    for column in columns:
        if column.key in entry.sources and column.key in other.sources:
            difference = entry.sources[column.key].drift(other.sources[column.key])
            if difference is not None:
                found[column.key] = _drift(difference)
    return found


def _drift(d: Drift) -> list[float | int]:
    return [*(round(x, 5) for x in (d.value, d.interval.lower, d.interval.upper)), d.rose, d.fell, d.questions]


def _flips(mine: pd.DataFrame, other: pd.DataFrame) -> list[list[Any]]:
    """Rows of the flip table that are not empty: the other's verdict, then the counts under `VERDICTS`."""
    if mine.empty or other.empty:
        return []
    table = flip_table(mine, other)
    return [[verdict, *map(int, row)] for verdict, row in zip(VERDICTS, table.to_numpy(), strict=True) if row.any()]


def _answers(frame: pd.DataFrame) -> list[list[Any]]:
    """[probe, question id, question, verdict, alignment, coherence, answer], misaligned ones first."""
    ordered = frame.assign(_first=(frame["verdict"] != "misaligned")).sort_values("_first", kind="stable")
    kept = ordered.groupby(["question_set", "format"], sort=False).head(ANSWERS_PER_PROBE)
    return [
        [
            f"{r['question_set']}, {r['format']}",
            *(r[k] for k in ("question_id", "question", "verdict")),
            *(_score(r[k]) for k in ("alignment", "coherence")),
            r["answer"],
        ]
        for r in kept.to_dict("records")
    ]


def _outcomes(runs: Any) -> list[list[Any]]:
    out = []
    for run in runs:
        first = run.measures[0]
        bad = set(first.among) - set(first.count) if first.worse == "lower" else set(first.count)
        told = sorted(zip(run.answers, run.texts, strict=True), key=lambda t: t[0].outcome not in bad)
        out += [[run.title, a.question, q, a.outcome, None, None, text] for a, (q, text) in told[:ANSWERS_PER_PROBE]]
    return out


def _score(value: Any) -> float | str | None:
    return value if value is None or isinstance(value, str) else round(float(value), 1)


def script(name: str, data: Any) -> str:
    """Data as a script that hands it to the page: it is read from a file as well as from a server, and runs nothing."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return f"spillover.receive({json.dumps(name)}, {text});\n"
