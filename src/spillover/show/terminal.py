"""Tables in the terminal; names are shown as they are, never as markup."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spillover.show.report import Report
from spillover.show.text import Panel, Struck


def console() -> Console:
    """The terminal as wide as it is; a file or pipe gets room for whole rows."""
    out = Console()
    return out if out.is_terminal else Console(width=220)


def panel_table(panel: Panel) -> Table:
    """One table."""
    table = Table(title=Text(panel.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(panel.headers):
        longest = max((len(r[0]) for r in panel.rows), default=0)
        width = min(longest, 24) if index == 0 else None
        table.add_column(header, justify="right" if index else "left", overflow="fold", min_width=width)
    for values in panel.rows:
        table.add_row(*(Text(v, style="strike" if isinstance(v, Struck) else "") for v in values))
    return table


def show(to: Console, made: Report, details: bool = False) -> None:
    """Print what was asked for, or every table of the page."""
    to.print(Text(f"{made.title} ({made.answers.preset.name})", style="bold"))
    for told in made.blind:
        to.print(Text(told, style="bold"))
    for panel in [*made.asked, *(made.more if details else [])]:
        to.print(panel_table(panel))
        to.print(Text(panel.note, style="dim"))
    for told in (w for w in made.warnings if w not in made.blind):
        to.print(Text(told))
    for told in made.answers.left_out:
        to.print(Text(f"Left out: {told}"))
