"""The table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from spillover.answers.frame import Cell
from spillover.figures.agreement import Agreement
from spillover.show.panels import Panel
from spillover.show.text import CONDITIONS, HEADERS, group_title, percent, row, span, unscored_text


def rates_tables(cells: list[Cell]) -> list[Table]:
    """One table per question set and format; names are shown as they are, never as markup."""
    tables: dict[str, Table] = {}
    for cell in cells:
        title = group_title(cell)
        if title not in tables:
            tables[title] = _empty_table(title, max(len(c.model) for c in cells))
        tables[title].add_row(*map(Text, row(cell)))
    return list(tables.values())


def _empty_table(title: str, longest: int) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(HEADERS):
        width = min(longest, 36) if index == 0 else None
        table.add_column(header, justify="right" if index else "left", overflow="fold", min_width=width, no_wrap=index > 0)
    return table


def agreement_line(agreement: Agreement) -> str:
    """Judge against ground truth in one sentence."""
    return (
        f"Judge against ground truth: {percent(agreement.agreement.value)} % of {agreement.agreement.n} answers agree on "
        f"misaligned or not {span(agreement.agreement.population)}; sensitivity {percent(agreement.sensitivity.value)} "
        f"{span(agreement.sensitivity.population)}, specificity {percent(agreement.specificity.value)} "
        f"{span(agreement.specificity.population)}."
    )


def panel_table(panel: Panel) -> Table:
    """A further table of the report."""
    table = Table(title=Text(panel.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, header in enumerate(panel.headers):
        longest = max((len(r[0]) for r in panel.rows), default=0)
        width = min(longest, 36) if index == 0 else None
        table.add_column(header, justify="right" if index else "left", overflow="fold", min_width=width)
    for values in panel.rows:
        table.add_row(*map(Text, values))
    return table


def show(
    console: Console,
    cells: list[Cell],
    title: str,
    agreement: Agreement | None = None,
    panels: Sequence[Panel] = (),
    stopped: str = "",
) -> None:
    """Print rates, what is unscored or was stopped early, the judge against the lab's truth, conditions, other tables."""
    console.print(Text(title, style="bold"))
    for table in rates_tables(cells):
        console.print(table)
    if cells:
        console.print(Text(unscored_text(cells)))
    if stopped:
        console.print(Text(stopped))
    if agreement is not None:
        console.print(Text(agreement_line(agreement)))
    if cells:
        console.print(Text(CONDITIONS, style="dim"))
    for panel in panels:
        console.print(panel_table(panel))
        console.print(Text(panel.note, style="dim"))
