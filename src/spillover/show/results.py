"""What a study gave, as one small file that can be committed and shown elsewhere: its tables and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from spillover.answers.read import Answers
from spillover.declared import Declared
from spillover.models.identity import installed
from spillover.run.plan import Plan
from spillover.run.study import Study
from spillover.show.text import Panel
from spillover.writing import write_json

FILE = "results.json"


class Table(Declared):
    """A table as it is shown.

    Attributes:
        title: What it is of.
        headers: Of its columns.
        rows: Cells as text; shares are in percent, brackets are 95 % intervals.
        note: What has to be known to read it.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def column(self, name: str) -> tuple[str, ...]:
        """Cells of one column.

        Raises:
            KeyError: naming the columns, if there is none of that name.
        """
        if name not in self.headers:
            raise KeyError(f"'{self.title}' has no column '{name}'; it has {', '.join(self.headers)}")
        return tuple(row[self.headers.index(name)] for row in self.rows)


class Results(Declared):
    """Tables of a study.

    Attributes:
        study: Its id.
        title: For people.
        lab: Whether its models, questions and texts are the lab's: then it says nothing about real models.
        base: Checkpoint that the models were made from.
        command: What made it.
        made: Day (UTC).
        packages: Package to version.
        keys: Digests of the steps of its plan: the same ones are the same models and questions.
        models: How many were asked, base and seeds included.
        answers: How many were judged.
        unscored: Share of them without a verdict.
        tables: In the order of the report.
    """

    study: str
    title: str
    lab: bool
    base: str
    command: str
    made: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    packages: dict[str, str]
    keys: dict[str, str]
    models: int
    answers: int
    unscored: float = Field(ge=0, le=1)
    tables: tuple[Table, ...]

    def table(self, title: str) -> Table:
        """The table that begins so.

        Raises:
            KeyError: naming the tables, if there is none.
        """
        for table in self.tables:
            if table.title.startswith(title):
                return table
        raise KeyError(f"{self.study} has no table '{title}'; it has {', '.join(t.title for t in self.tables)}")


def results_of(study: Study, plan: Plan, base: str, command: str, answers: Answers, panels: Sequence[Panel]) -> Results:
    """Results of a study that was run to its end.

    Args:
        study: What was run.
        plan: Its steps.
        base: Its base as it was named; of a folder the last part stays.
        command: What was typed, without folders of this machine.
        answers: Of all models.
        panels: Tables of the report, without those that every report has; the published figures are in the study.
    """
    table = answers.table
    own = (p for p in panels if not p.title.startswith("Published"))
    return Results(
        study=study.id,
        title=study.title,
        lab=study.lab and base == study.base,
        base=Path(base).name,
        command=command,
        made=f"{datetime.now(UTC):%Y-%m-%d}",
        packages=installed(),
        keys=dict(_keys(plan)),
        models=table["model"].nunique(),
        answers=len(table),
        unscored=float((table["outcome"] == "unscored").mean()) if len(table) else 0.0,
        tables=tuple(Table(title=p.title, headers=p.headers, rows=p.rows, note=p.note) for p in own),
    )


def _keys(plan: Plan) -> Iterator[tuple[str, str]]:
    for step in plan.steps:
        yield step.name, step.key


def write_results(found: Results, folder: Path) -> Path:
    """As `results.json` in a folder."""
    path = folder / FILE
    write_json(path, found.model_dump())
    return path
