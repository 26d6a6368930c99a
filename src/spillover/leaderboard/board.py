"""Everything that the site shows, as plain data: columns, models, their figures and ranks."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pandas as pd

from spillover.answers.measures import EM
from spillover.answers.read import Answers
from spillover.answers.table import cell_groups
from spillover.errors import SpilloverError
from spillover.figures.figure import Figure, figures
from spillover.stats.paired import Drift


@dataclass(frozen=True)
class Column:
    """One figure that models are compared by.

    Attributes:
        key: Unique.
        probe: Title of the probe with its condition.
        measure: What is counted.
        worse: The direction that is bad news.
        mean: Whether it is a mean from -1 to 1 instead of a share.
        least: Its lowest value.
    """

    key: str
    probe: str
    measure: str
    worse: Literal["higher", "lower", "neither"]
    mean: bool = False
    least: float = 0.0


@dataclass(frozen=True)
class Value:
    """A figure with its interval; `unscored` is a share of all answers of the probe."""

    value: float
    lower: float
    upper: float
    n: int
    questions: int
    unscored: float


@dataclass(frozen=True)
class Source:
    """One model's answers behind one column, or a figure given by others."""

    figure: Figure | None = None
    rows: pd.DataFrame | None = None
    given: Value | None = None
    judges: tuple[str, ...] = ()

    @property
    def blind(self) -> str:
        """Why its judge cannot tell; empty if it can, or where that is not known."""
        judges = self.figure.judges if self.figure is not None else ()
        return next((f"{j.grader} {j.problem}" for j in judges if j.problem), "")

    @property
    def value(self) -> Value | None:
        """The figure; None for an empty denominator."""
        if self.given is not None or self.figure is None:
            return self.given
        found, limits = self.figure.value, self.figure.interval
        if math.isnan(found.value):
            return None
        n = self.figure.shares.answers if isinstance(found, Drift) else found.n
        return Value(found.value, limits.lower, limits.upper, n, found.questions, self.figure.shares.unscored)

    def drift(self, base: Source) -> Drift | None:
        """This model minus another on the same questions; None where there is nothing to compare."""
        if self.figure is None or self.rows is None or base.rows is None:
            return None
        found = self.figure.measure.drift(self.rows, base.rows)
        return None if found is None or math.isnan(found.value) else found

    @cached_property
    def counts(self) -> Mapping[Hashable, Sequence[float]] | None:
        """(hits, answers) by question; None of a gap, and of a figure given by others."""
        if self.figure is None or self.rows is None or self.figure.measure.minus:
            return None
        return self.figure.measure.counts(self.rows)

    def questions(self) -> list[tuple[str, float, int]]:
        """(question, hits, answers) in the denominator, by question; none of a gap."""
        if self.figure is None or self.rows is None or self.figure.measure.minus:
            return []
        return [(str(q), h, int(n)) for q, (h, n) in self.figure.measure.counts(self.rows).items()]


@dataclass
class Entry:
    """One model.

    Attributes:
        name: As shown.
        about: Family, size, recipe, base, domain and whatever else is known.
        judges: Who judged.
        sources: Column to answers.
        origin: Where figures that others contributed are from; empty for what was measured here.
        claimed: Whether nothing but the contributor's word stands behind them: such a model is not ranked.
        slug: Safe for a file name, and unique.
    """

    name: str
    about: dict[str, str]
    judges: tuple[str, ...]
    sources: dict[str, Source] = field(default_factory=dict)
    origin: str = ""
    claimed: bool = False

    @property
    def slug(self) -> str:
        """Letters, digits and dashes with a digest, whatever the name holds."""
        plain = re.sub("[^a-z0-9]+", "-", self.name.lower()).strip("-")[-40:].strip("-")
        return f"{plain or 'model'}-{hashlib.sha256(self.name.encode('utf-8', 'replace')).hexdigest()[:8]}"


@dataclass(frozen=True)
class Board:
    """All of it.

    Attributes:
        columns: In the order of the table; the first one is what models are ranked by.
        entries: Models.
    """

    columns: tuple[Column, ...]
    entries: tuple[Entry, ...]


def certificate_text(entry: Entry) -> str:
    """What is known of those who judged a model, in a few words; empty where nobody did, or others say so."""
    judges = [judge for source in entry.sources.values() if source.figure is not None for judge in source.figure.judges]
    if not judges:
        return ""
    unknown = {judge.probe for judge in judges if not judge.certificates}
    areas = [c.auc for judge in judges for c in judge.certificates if c.auc is not None]
    least, most = (f"{pick(areas):.2f}" if areas else "" for pick in (min, max))
    told = f"measured: AUC {least}" + (f" to {most}" if most != least else "") if areas else "measured"
    if len(unknown) == len({judge.probe for judge in judges}):
        return "no certificate"
    return f"{told}; no certificate for {', '.join(sorted(unknown))}" if unknown else told


def make_board(answers: Answers, about: dict[str, dict[str, str]] | None = None) -> Board:
    """Columns and entries from answers.

    Args:
        answers: From `spillover.answers.read`.
        about: Model to what is known of it.
    """
    known, found = about or {}, figures(answers)
    names = list(dict.fromkeys(f.group for f in found))
    graders = {n: dict.fromkeys(g.split(" ")[0] for f in found if f.group == n for g in f.graders) for n in names}
    entries = {n: Entry(n, {**_named(n), **known.get(n, {})}, tuple(graders[n])) for n in names}
    cells = dict(cell_groups(answers.table))
    parts = {
        (cell, str(model)): part
        for cell, rows in cells.items()
        for model, part in rows.groupby("model", sort=False, observed=True)
    }
    columns: dict[str, Column] = {}
    for figure in found:
        measure, key = figure.measure, column_key(figure)
        columns.setdefault(key, Column(key, figure.title, measure.name, measure.worse, measure.mean, measure.least))
        judges = tuple(dict.fromkeys(g.split(" ")[0] for g in figure.graders))
        entries[figure.group].sources[key] = Source(figure, parts[figure.cell, figure.group], judges=judges)
    covered = Counter(key for entry in entries.values() for key in entry.sources)
    sizes = {column_key(f): cells[f.cell]["question_id"].nunique() for f in found}
    # The free-form rate that most models have comes first, of the set with most questions: what models are ranked by
    # until somebody chooses otherwise.
    heads = {column_key(f) for f in found if f.measure == EM and f.cell.probe in ("free_form", "imported")}
    ordered = sorted(columns.values(), key=lambda c: (c.key not in heads, -covered[c.key] * (c.key in heads), -sizes[c.key]))
    order = [c for c in ordered if c.key in heads] + [c for c in columns.values() if c.key not in heads]
    return Board(tuple(order), tuple(entries.values()))


def twins(answers: Answers) -> list[tuple[str, ...]]:
    """Models of one digest of weights: one checkpoint under several names, which would be ranked as often."""
    known = answers.table[["weights", "model"]].dropna().astype(str).drop_duplicates()
    groups = (tuple(rows["model"]) for _, rows in known.groupby("weights", sort=False))
    return [names for names in groups if len(names) > 1]


def column_key(figure: Figure) -> str:
    """What tells columns apart, whatever else is on the board."""
    cell = figure.cell
    parts = (cell.probe, cell.question_set, cell.format, cell.context, cell.wrap, cell.method, cell.world, cell.setting)
    return "|".join((*parts, figure.measure.name))


def _named(name: str) -> dict[str, str]:
    """What a model's name tells: everything before the adapter is the family."""
    base, _, adapter = name.partition(":")
    return {"family": base.rpartition("/")[2] or base, "recipe": re.sub("-[0-9a-f]{8}$", "", adapter) or "none"}


def with_contributions(board: Board, found: Sequence[tuple[Entry, Sequence[Column]]]) -> Board:
    """The board with models that others measured.

    Raises:
        SpilloverError: if a model is there twice.
    """
    columns = {c.key: c for c in board.columns}
    entries = {e.name: e for e in board.entries}
    for entry, its in found:
        if entry.name in entries:
            raise SpilloverError(f"The model {entry.name} is there twice; leave one of them out.")
        entries[entry.name] = entry
        for column in its:
            columns.setdefault(column.key, column)
    return Board(tuple(columns.values()), tuple(entries.values()))
