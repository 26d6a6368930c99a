"""The site's data files: an index that is loaded at once, and one file a model that is loaded when it is opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from spillover import __version__
from spillover.answers.condition import titles, with_questions
from spillover.answers.presets import general
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.figures.along import series_of
from spillover.figures.figure import figures
from spillover.figures.flips import flip_table
from spillover.figures.multiverse import preset_table
from spillover.leaderboard.board import Board, Column, Entry, Value, certificate_text
from spillover.leaderboard.ranks import ranks, told_apart
from spillover.show.listed import shown_answers
from spillover.stats.paired import Drift

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


def index(board: Board, answers: Answers, title: str, bundle: bool) -> dict[str, Any]:
    """What the table and the overviews need."""
    return {
        "title": title,
        "lab": answers.lab,
        "bundle": bundle,
        "version": __version__,
        "columns": [vars(c) for c in board.columns],
        "models": [_model(board, e) for e in board.entries],
        "series": _series(board),
        "multiverse": _multiverse(answers),
        "matrix": _matrix(board, answers),
    }


def _series(board: Board) -> list[dict[str, Any]]:
    """Models along one number of their names: the number as it is written, and the model."""
    slugs = {entry.name: entry.slug for entry in board.entries if not entry.claimed}
    return [{"name": s.name, "points": [[at, slugs[model]] for at, model in s.points]} for s in series_of(slugs)]


def _model(board: Board, entry: Entry) -> dict[str, Any]:
    cells = {c.key: numbers(entry.sources[c.key].value) for c in board.columns if c.key in entry.sources}
    blind = {c.key: why for c in board.columns if c.key in entry.sources and (why := entry.sources[c.key].blind)}
    return {
        "slug": entry.slug,
        "name": entry.name,
        "about": entry.about,
        "judges": list(entry.judges),
        "certificate": certificate_text(entry),
        "origin": entry.origin,
        "claimed": entry.claimed,
        "cells": cells,
        "blind": blind,
    }


def add_ranks(board: Board, data: dict[str, Any]) -> None:
    """Put the range of ranks beside every figure of the index."""
    for column in board.columns:
        sources = {e.name: e.sources[column.key] for e in board.entries if column.key in e.sources and not e.claimed}
        able = {name: source for name, source in sources.items() if not source.blind}
        values = [(name, source.value) for name, source in able.items()]
        found = ranks(values, column.worse, told_apart(able) if column.worse != "neither" else None)
        for model in data["models"]:
            if model["name"] in found:
                model.setdefault("ranks", {})[column.key] = list(found[model["name"]])


def _multiverse(answers: Answers) -> dict[str, Any]:
    """Cell to model to [rate, lower, upper, n] a preset, in the order of `presets`."""
    out: dict[str, Any] = {"presets": [preset.name for preset in general()], "cells": {}}
    for (model, cell), rates in preset_table(answers).items():
        row = out["cells"].setdefault(cell, {})
        row[model] = [
            None if r.n == 0 else [*(round(x, 5) for x in (r.value, r.population.lower, r.population.upper)), r.n]
            for r in rates
        ]
    return out


def _matrix(board: Board, answers: Answers) -> list[dict[str, Any]]:
    """Trained domain by measured domain: the first measure of every probe by category."""
    trained = {e.name: e.about.get("domain", "") for e in board.entries}
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    for f in figures(answers, by_category=True):
        n = getattr(f.value, "n", 0)
        if n and f.value.value == f.value.value:
            own = f.title.endswith(f"({f.cell.question_set})")
            title = f.title if own else with_questions(f.title, f.cell.question_set)
            row = tables.setdefault(f"{title}: {f.measure.name}", {}).setdefault(f.group, {})
            limits = f.interval
            row[str(f.category)] = [round(x, 4) for x in (f.value.value, limits.lower, limits.upper)] + [n, int(f.blind)]
    return [
        {
            "title": title,
            "measured": list(dict.fromkeys(c for row in rows.values() for c in row)),
            "rows": [{"model": m, "trained": trained.get(m, ""), "cells": row} for m, row in rows.items()],
        }
        for title, rows in tables.items()
        if any(len(row) > 1 for row in rows.values())
    ]


def model_file(board: Board, entry: Entry, answers: Answers, about: dict[str, Any]) -> dict[str, Any]:
    """What a model's page and a comparison with it need."""
    others = [e for e in board.entries if e is not entry]
    if len(board.entries) > PAIRED:
        others = [e for e in others if e.about.get("family") == entry.about.get("family")][:PAIRED]
    mine = answers.of([entry.name])
    return {
        "slug": entry.slug,
        "questions": {key: source.questions() for key, source in entry.sources.items()},
        "pairs": {other.slug: _pair(board.columns, entry, other) for other in others},
        "flips": {other.slug: _flips(mine.table, answers.of([other.name]).table) for other in others},
        "answers": [
            [a["format"], a["question_id"], a["question"], a["verdict"], a["grades"], a["answer"]]
            for a in shown_answers(mine, ANSWERS_PER_PROBE)
        ],
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
    """[probe with its condition, the other's outcome, the model's outcome, answers]: flips in what both were asked."""
    if mine.empty or other.empty:
        return []
    out = []
    theirs = dict(cell_groups(other))
    groups = [(cell, rows) for cell, rows in cell_groups(mine) if cell in theirs]
    names = titles(cell for cell, _ in groups)
    for cell, rows in groups:
        table = flip_table(rows, theirs[cell])
        out += [[names[cell], b, a, int(table.loc[b, a])] for b in table.index for a in table.columns if table.loc[b, a]]
    return out


def script(name: str, data: Any) -> str:
    """Data as a script that hands it to the page: it is read from a file as well as from a server, and runs nothing."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return f"spillover.receive({json.dumps(name)}, {text});\n"
