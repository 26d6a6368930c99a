"""Arms by every probe in one table: what spills over in chat and what with tools are apart, and no mean hides either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spillover.answers.condition import Cell
from spillover.figures.arms import ArmRow
from spillover.figures.estimate import UNKNOWN, Estimate
from spillover.figures.figure import Figure
from spillover.probes.probe import probes
from spillover.show.text import Panel, percent, span, struck

FEW = 3
"""Probes from which on a table of all of them says what the single ones do not."""


def side_by_side(found: Mapping[Cell, Sequence[ArmRow]], by_category: Sequence[Figure], arms: Sequence[str]) -> Panel | None:
    """The first measure of every probe, and each kind of situation of those with tools; None for few probes.

    Args:
        found: Every arm in every cell.
        by_category: First measures by category.
        arms: Their names in the order of the table.
    """
    if len({(cell.probe, cell.question_set) for cell in found}) < FEW:
        return None
    known = probes()
    columns: dict[str, dict[str, tuple[Estimate, bool]]] = {}
    for cell, rows in found.items():
        head = max(rows, key=lambda row: len(row.figures)).head
        title = f"{head.title}: {head.measure.name}"
        mine = [row for row in rows if row.head.measure == head.measure]
        columns[title] = {row.name: (row.best, row.head.blind and row.head.truth is None) for row in mine}
        if cell.probe in known and "tools" in known[cell.probe].tags:
            for f in (f for f in by_category if f.cell == cell and f.measure == head.measure):
                assert isinstance(f.best, Estimate)
                place = columns.setdefault(f"{head.title}, {f.category}", {})
                place[f.group] = (f.best, f.blind and f.truth is None)
    body = []
    for arm in arms:
        cells = [columns[title].get(arm, (UNKNOWN, False)) for title in columns]
        said = [struck(f"{percent(v.value)} {span(v.interval)}".removesuffix(" –"), blind) for v, blind in cells]
        body.append((arm, *said))
    note = (
        "In percent, the mean of the training seeds, by exact labels where they are known. Brackets: 95 %; "
        "numbers of answers and unscored shares stand in each probe's own table. They count different "
        "things, and no mean of them is formed."
    )
    return Panel("All probes, side by side", ("arm", *columns), tuple(body), note)
