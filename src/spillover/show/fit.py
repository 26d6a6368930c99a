"""A table as wide as there is room: lesser columns go first, then the middle of names; never model, figure or interval."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from os.path import commonprefix

from rich.cells import cell_len

from spillover.show.text import Panel

LESSER = ("cut %", "seeds", "answers", "times lower", "kept %", "coherent %", "truth (lab)", "on this suite", "unscored %")
"""Columns that go where there is no room, the first ones first."""
NAMES = re.compile(r"^(model|arm|probe|measure|metric|task|grader|question|judge|pair|base|checkpoint|at)$")
KEPT = re.compile(
    r"^(figure|value|verdict|outcomes?|drift.*|against naive|questions like these|95 % interval|confidence sequence"
    r"|.*%, truth|AUC|finds|clears|(lowest|median|highest) %)$"
)
GAP, TIGHT, LEAST, FIRST, SENTENCE, WORD = 3, 2, 14, 2, 40, 28
"""Characters between columns, and where there is no room for so many; of a name that is cut, of a text that folds; columns
behind the names that stay anyway; of a word at whose ends a name folds rather than that it is cut."""


def fitted(panel: Panel, width: int) -> tuple[list[Panel], tuple[str, ...]]:
    """A table that is no wider, as far as can be, and the headers of the columns that were left out for it.

    One whose first column groups the others is a table for each group before any column is left out.
    """
    if needed(panel) > width and any(not row[0] for row in panel.rows):
        parts = list(_groups(panel))
        panel = replace(panel, headers=panel.headers[1:], rows=tuple(row[1:] for row in panel.rows))
    else:
        parts = [panel]
    kept = _chosen(panel, width)
    parts = [_only(part, kept) for part in parts]
    left_out = tuple(header for i, header in enumerate(panel.headers) if i not in kept)
    return [part if needed(part) <= width else _shortened(part, width) for part in parts], left_out


def _chosen(panel: Panel, width: int) -> list[int]:
    """Columns that stay in any case, and of the others what there is room for, the most telling first."""
    kept = [i for i in range(len(panel.headers)) if not _lesser(panel, i)]
    free = sorted((i for i in range(len(panel.headers)) if i not in kept), key=lambda i: _rank(panel, i), reverse=True)
    for i in free:
        if needed(_only(panel, sorted([*kept, i]))) <= width:
            kept = sorted([*kept, i])
    return kept


def _lesser(panel: Panel, index: int) -> bool:
    header = panel.headers[index]
    if header in LESSER:
        return index > 0
    figures = [i for i, h in enumerate(panel.headers) if i and not NAMES.match(h) and h not in LESSER]
    return index in figures[FIRST:] and not KEPT.match(header)


def _rank(panel: Panel, index: int) -> tuple[bool, int]:
    """How much a lesser column tells: one that has no name here the more, the further left it stands."""
    header = panel.headers[index]
    return (False, LESSER.index(header)) if header in LESSER else (True, -index)


def _only(panel: Panel, kept: Sequence[int]) -> Panel:
    def pick(row: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(row[i] for i in kept)

    return replace(panel, headers=pick(panel.headers), rows=tuple(map(pick, panel.rows)))


def needed(panel: Panel) -> int:
    """Characters of a table with all folded that may be."""
    return sum(widths(panel)) + GAP * len(panel.headers)


def natural(panel: Panel) -> int:
    """Characters of a table with nothing folded."""
    columns = zip(panel.headers, *panel.rows, strict=True)
    return sum(max(map(cell_len, column)) for column in columns) + GAP * len(panel.headers)


def widths(panel: Panel) -> list[int]:
    """Of each column; a heading and a text may be folded at their blanks."""
    columns = zip(*panel.rows, strict=True) if panel.rows else [()] * len(panel.headers)
    return [max(_longest(header), *map(_room, cells), 1) for header, cells in zip(panel.headers, columns, strict=True)]


def squeezed(panel: Panel, width: int) -> list[int]:
    """Widths that fit, as far as every cell can be folded at its blanks: those that can give most give first."""
    room = widths(panel)
    columns = zip(panel.headers, *panel.rows, strict=True)
    least = [max(1, *map(_longest, column)) for column in columns]
    for _ in range(sum(room) + TIGHT * len(room) - width):
        index = max(range(len(room)), key=lambda i: room[i] - least[i])
        room[index] = max(least[index], room[index] - 1)
    return room


def is_text(cells: Sequence[str]) -> bool:
    """Whether a column holds sentences, which fold; figures and names do not."""
    return any(_room(cell) < cell_len(cell) for cell in cells)


def _room(cell: str) -> int:
    return cell_len(cell) if " " not in cell else min(cell_len(cell), max(SENTENCE, _longest(cell)))


def _longest(text: str) -> int:
    return max((cell_len(word) for word in text.split()), default=0)


def _groups(panel: Panel) -> Iterator[Panel]:
    """A table for every entry of the first column, with the entry as its title."""
    starts = [i for i, row in enumerate(panel.rows) if row[0] or not i]
    for start, end in zip(starts, [*starts[1:], len(panel.rows)], strict=True):
        rows = tuple(row[1:] for row in panel.rows[start:end])
        yield replace(panel, title=panel.rows[start][0] or panel.title, headers=panel.headers[1:], rows=rows)


def _shortened(panel: Panel, width: int) -> Panel:
    """Names in the first columns, cut in their middle, the longest ones most."""
    room = widths(panel)
    names = [i for i, header in enumerate(panel.headers) if not i or NAMES.match(header)]
    names = [i for i in names if not is_text([row[i] for row in panel.rows])]  # those fold
    least = {i: max(LEAST, word) if (word := _folded([r[i] for r in panel.rows])) else LEAST for i in names}
    for _ in range(needed(panel) - width if names else 0):
        index = max(names, key=lambda i: room[i] - (least[i] - LEAST))
        room[index] = max(least[index], room[index] - 1)
    for index in names:
        if 0 < _folded([row[index] for row in panel.rows]) <= room[index]:
            continue  # at their blanks, which leaves them whole
        cells = middle([row[index] for row in panel.rows], room[index])
        rows = tuple((*row[:index], cell, *row[index + 1 :]) for row, cell in zip(panel.rows, cells, strict=True))
        panel = replace(panel, rows=rows)
    return panel


def _folded(names: Sequence[str]) -> int:
    """How wide names are once they are folded at their blanks; 0 where they have none, or that would not help."""
    word = max(map(_longest, names), default=0)
    return word if word <= WORD and word < max(map(cell_len, names), default=0) else 0


def middle(names: Sequence[str], width: int) -> list[str]:
    """Names of at most `width` characters, cut where that leaves them apart; as they are where no cut does.

    What all long ones begin with goes first, up to a sign between words.
    """
    long = [n for n in dict.fromkeys(names) if cell_len(n) > width]
    same = commonprefix(long) if len(long) > 1 else ""  # noqa: RUF071 - of names, not of paths
    start = max((same.rfind(sign) + 1 for sign in ":/ "), default=0)
    bare = {n: f"…{n[start:]}" if n in long else n for n in names}
    if start and max(map(cell_len, bare.values())) <= width and len(set(bare.values())) == len(set(names)):
        return [bare[n] for n in names]
    for share in (0.35, 0.5, 0.7, 0.2):
        head = int((width - 1) * share)
        tail = width - 1 - head
        short = {n: n if cell_len(n) <= width else f"{n[:head]}…{n[len(n) - tail :]}" for n in names}
        if len(set(short.values())) == len(set(names)):
            return [short[n] for n in names]
    return list(names)
