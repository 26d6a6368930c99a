"""Tables in the terminal; names are shown as they are, never as markup."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

from rich import box
from rich.console import Console, ConsoleOptions
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from spillover.show.fit import fitted, is_text, natural, needed, squeezed, widths
from spillover.show.report import Report
from spillover.show.text import Panel, Struck
from spillover.sinks import visible

NARROWEST = 40
"""Columns below which COLUMNS is no width."""


class Terminal(Console):
    """A console that shows control and direction characters of any text as codes: no model's name moves the cursor."""

    def render(self, renderable: Any, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """As the base; rich's own control codes are in segments of their own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def console() -> Console:
    """The terminal as wide as it is; a file or pipe gets room for whole rows, unless COLUMNS says otherwise."""
    out = Terminal()
    given = os.environ.get("COLUMNS", "")
    return out if out.is_terminal or (given.isdigit() and int(given) >= NARROWEST) else Terminal(width=220)


def print_panel(to: Console, panel: Panel) -> None:
    """A table as wide as there is room, and what was left out of it."""
    parts, left_out = fitted(panel, to.width)
    if parts[0].title != panel.title:
        to.print(Text(panel.title, style="bold"))
    for part in parts:
        if part.title:
            to.print(Text(part.title, style="bold"))  # not the table's own title, which folds with a narrow table
        to.print(panel_table(part, to.width if natural(part) > to.width else None))
    if left_out:
        to.print(Text(f"No room for: {', '.join(left_out)} (a wider terminal has them).", style="dim"))


def stderr_console() -> Console:
    """For progress and what is no result."""
    return Terminal(stderr=True)


def panel_table(panel: Panel, width: int | None = None) -> Table:
    """One table without its title; for a `width` columns are as wide as their cells, or folded, and headings fold."""
    tight = width is not None
    narrow = width is not None and needed(panel) > width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if narrow else (0, 1))
    room = squeezed(panel, width) if width is not None and narrow else widths(panel)
    for index, (header, own) in enumerate(zip(panel.headers, room, strict=True)):
        least = own if tight else min(max((len(r[0]) for r in panel.rows), default=0), 24) if index == 0 else None
        most = own if tight else None
        text = not index or (tight and is_text([row[index] for row in panel.rows]))
        side: Literal["left", "right"] = "left" if text else "right"
        table.add_column(header, justify=side, overflow="fold", min_width=least, width=most)
    for values in panel.rows:
        table.add_row(*(Text(v, style="strike" if isinstance(v, Struck) else "") for v in values))
    return table


def show(to: Console, made: Report, details: bool = False) -> None:
    """Print what was asked for, or every table of the page."""
    to.print(Text(f"{made.title} ({made.answers.preset.name})", style="bold"))
    for told in made.blind:
        to.print(Text(told, style="bold"))
    for panel in [*made.asked, *made.more] if details else made.short:
        print_panel(to, panel)
        to.print(Text(panel.note, style="dim"))
    for told in (w for w in made.warnings if w not in made.blind):
        to.print(Text(told))
    for told in made.answers.left_out:
        to.print(Text(f"Left out: {told}"))
