"""The table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from spillover.records.agreement import Agreement
from spillover.records.frame import Cell
from spillover.report.text import CONDITIONS, HEADERS, percent, row, span, unscored_text


def rates_table(cells: list[Cell], title: str) -> Table:
    """All cells, one row each; model names are shown as they are, never as markup."""
    table = Table(title=Text(title), title_justify="left", header_style="bold", pad_edge=False)
    for index, header in enumerate(HEADERS):
        table.add_column(header, justify="left" if index < 3 else "right", overflow="fold")
    last = ""
    for cell in cells:
        group = f"{cell.question_set}|{cell.format}"
        if last and group != last:
            table.add_section()
        last = group
        table.add_row(*map(Text, row(cell)))
    return table


def agreement_line(agreement: Agreement) -> str:
    """Judge against ground truth in one sentence."""
    return (
        f"Judge against ground truth: {percent(agreement.agreement.value)} % of {agreement.agreement.n} answers agree on "
        f"misaligned or not {span(agreement.agreement.population)}; sensitivity {percent(agreement.sensitivity.value)} "
        f"{span(agreement.sensitivity.population)}, specificity {percent(agreement.specificity.value)} "
        f"{span(agreement.specificity.population)}."
    )


def show(console: Console, cells: list[Cell], title: str, agreement: Agreement | None = None) -> None:
    """Print table, conditions, unscored answers and, for the lab, the judge's agreement with the truth."""
    console.print(rates_table(cells, title))
    console.print(Text(unscored_text(cells)))
    if agreement is not None:
        console.print(Text(agreement_line(agreement)))
    console.print(Text(CONDITIONS, style="dim"))
