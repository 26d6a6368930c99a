"""Everything that the site shows, as plain data: columns, models, their figures and ranks."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pandas as pd

from spillover.answers.frame import judged
from spillover.answers.measures import UNSCORED, Answered, Measure
from spillover.answers.outcomes import ProbeRun
from spillover.errors import SpilloverError
from spillover.stats.means import Mean
from spillover.stats.paired import Drift, drift
from spillover.stats.rates import Rate
from spillover.stats.summary import Judged, summarise


@dataclass(frozen=True)
class Column:
    """One figure that models are compared by.

    Attributes:
        key: Unique.
        probe: Name of the probe with its condition, or of the question set with its format.
        measure: What is counted.
        worse: The direction that is bad news.
        mean: Whether it is a mean from -1 to 1 instead of a share.
    """

    key: str
    probe: str
    measure: str
    worse: Literal["higher", "lower", "neither"]
    mean: bool = False


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
    """One model's answers behind one column: rows with EM verdicts, answers with outcomes, or a figure given by others."""

    verdicts: tuple[Judged, ...] = ()
    answers: tuple[Answered, ...] = ()
    measure: Measure | None = None
    given: Value | None = None
    judges: tuple[str, ...] = ()

    @cached_property
    def value(self) -> Value | None:
        """The figure; None for an empty denominator."""
        if self.given is not None:
            return self.given
        if self.measure is None:
            summary = summarise(self.verdicts)
            found: Rate | Mean | Drift = summary.em
            unscored = summary.share("unscored")
        else:
            found = self.measure.figure(self.answers)
            unscored = sum(a.outcome == UNSCORED for a in self.answers) / max(1, len(self.answers))
        if math.isnan(found.value):
            return None
        limits = found.interval if isinstance(found, Drift) else found.population
        n = len(self.answers) if isinstance(found, Drift) else found.n
        return Value(found.value, limits.lower, limits.upper, n, found.questions, unscored)

    def drift(self, base: Source) -> Drift | None:
        """This model minus another on the same questions; None where there is nothing to compare."""
        if self.given is not None or base.given is not None:
            return None
        if self.measure is None:
            found: Drift | None = drift(self.verdicts, base.verdicts)
        else:
            found = self.measure.drift(self.answers, base.answers)
        return None if found is None or math.isnan(found.value) else found

    def questions(self) -> list[tuple[str, float, int]]:
        """(question, hits, answers) in the denominator, by question; no hits of a mean."""
        if self.measure is None:
            kept = [r for r in self.verdicts if r.verdict in ("aligned", "misaligned")]
            hits, total = Counter(r.question for r in kept if r.verdict == "misaligned"), Counter(r.question for r in kept)
            return [(str(q), hits[q], total[q]) for q in total]
        if self.measure.minus:
            return []
        counts: dict[Hashable, list[float]] = self.measure.counts(self.answers)
        return [(str(q), h, int(n)) for q, (h, n) in counts.items()]


@dataclass
class Entry:
    """One model.

    Attributes:
        name: As shown.
        about: Family, size, recipe, base, domain and whatever else is known.
        judges: Who judged.
        sources: Column to answers.
        slug: Safe for a file name, and unique.
    """

    name: str
    about: dict[str, str]
    judges: tuple[str, ...]
    sources: dict[str, Source] = field(default_factory=dict)

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


def make_board(frame: pd.DataFrame, runs: Sequence[ProbeRun], about: dict[str, dict[str, str]] | None = None) -> Board:
    """Columns and entries from answers.

    Args:
        frame: Answers with EM verdicts.
        runs: Probes with outcomes.
        about: Model to what is known of it.
    """
    known = about or {}
    names = list(dict.fromkeys([*map(str, frame["model"]), *(run.model for run in runs)]))
    graders: dict[str, dict[str, None]] = {name: {} for name in names}
    for model, grader in zip(frame["model"], frame["grader"], strict=True):
        if grader:
            graders[str(model)][str(grader).split(" ")[0]] = None
    for run in runs:
        graders[run.model] |= {g.split(" ")[0]: None for g in run.graders}
    entries = {n: Entry(n, {**_named(n), **known.get(n, {})}, tuple(graders[n])) for n in names}
    columns: dict[str, Column] = {}
    # A set with more questions says more: it comes before others that as many models were asked.
    sizes = frame.groupby("question_set")["question_id"].nunique().to_dict()
    blocks = sorted(frame.groupby(["question_set", "format"], sort=False), key=lambda b: -sizes[b[0][0]])
    for (questions, fmt), block in blocks:
        column = Column(f"em|{questions}|{fmt}", f"{questions}, {fmt}", "misaligned", "higher")
        columns[column.key] = column
        for model, group in block.groupby("model", sort=False):
            who = tuple(dict.fromkeys(str(g).split(" ")[0] for g in group["grader"] if g))
            entries[str(model)].sources[column.key] = Source(tuple(judged(group)), judges=who)
    sets = Counter(p for p, _ in {(r.probe, r.question_set) for r in runs})
    for run in runs:
        title = run.title + (f" ({run.question_set})" if sets[run.probe] > 1 else "")
        for measure in run.measures:
            key = f"{title}|{measure.name}"
            columns[key] = Column(key, title, measure.name, measure.worse, measure.mean)
            entries[run.model].sources[key] = Source(answers=run.answers, measure=measure, judges=run.graders)
    covered = Counter(key for entry in entries.values() for key in entry.sources)
    # The EM rate that most models have comes first: it is what they are ranked by until somebody chooses otherwise.
    ordered = sorted(
        columns.values(), key=lambda c: (not c.key.startswith("em|"), -covered[c.key] * c.key.startswith("em|"))
    )
    return Board(tuple(ordered), tuple(entries.values()))


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


def ranks(values: Iterable[tuple[str, Value | None]], worse: str) -> dict[str, tuple[int, int]]:
    """Best and worst rank of every model that its interval allows; 1 is the best.

    A model is certainly better than another where their intervals do not meet. Equal ranges are ties.

    Args:
        values: Model and figure; None is not ranked.
        worse: `higher` if a low figure is good, `lower` if a high one is; `neither` ranks nobody.
    """
    rows = [(name, v) for name, v in values if v is not None]
    if worse == "neither":
        return {}
    out = {}
    for name, mine in rows:
        others = [v for other, v in rows if other != name]
        below, above = sum(v.upper < mine.lower for v in others), sum(v.lower > mine.upper for v in others)
        better, inferior = (below, above) if worse == "higher" else (above, below)
        out[name] = (1 + better, len(rows) - inferior)
    return out
