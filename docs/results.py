"""Tables of results in the documentation, from `results/*.json`: `python docs/results.py` writes them, `--check` compares.

A page holds `<!-- results: STUDY | TABLE | COLUMN; COLUMN = HEADER; ... | ROW; ... -->`, and the table stands from there to
`<!-- end -->`. TABLE is how the table's title begins; without columns, or without rows, all are shown. A ROW is what stands
in a row's first column. A COLUMN of another table that has the same rows is `TABLE :: COLUMN`. The files are what
`spillover run STUDY` leaves as `results.json`, unchanged.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from spillover.declared import load
from spillover.errors import SpilloverError
from spillover.show.results import Results, Table

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- results: (?P<what>[^>]*?) -->\n)(?P<shown>.*?)(<!-- end -->)", re.S)


def filled(text: str) -> str:
    """A page with every table as its results have it."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{shown(m['what'])}\n\n{m[4]}", text)


def shown(what: str) -> str:
    """A table in Markdown, and what made it."""
    study, _, rest = what.partition(" | ")
    title, _, columns = rest.partition(" | ")
    columns, _, picked = columns.partition(" | ")
    path = ROOT / "results" / f"{study.strip()}.json"
    results = load(Results, path)
    table = results.table(title.strip())
    pairs = [c.partition("=") for c in columns.split(";") if c.strip()]
    chosen = {name.strip(): (new or name).strip() for name, _, new in pairs}
    wanted = [name.strip() for name in picked.split(";") if name.strip()]
    first = table.column(table.headers[0])
    if missing := set(wanted) - set(first):
        raise SpilloverError(f"'{table.title}' has no row '{min(missing)}'; it has {', '.join(dict.fromkeys(first))}.")
    cells = zip(*(_column(results, table, name) for name in chosen), strict=True) if chosen else table.rows
    kept = [row for row, name in zip(cells, first, strict=True) if not wanted or name in wanted]
    headers = tuple(chosen.values()) or table.headers  # two columns of a table may have one name
    body = [("---",) * len(headers), *([cell.replace("|", "\\|") for cell in row] for row in kept)]
    rows = ["| " + " | ".join(row) + " |" for row in (tuple(h.replace("|", "\\|") for h in headers), *body)]
    where = "Lab" if results.lab else results.base
    told = (
        f"{where}: `{results.command}`, {results.made}, Spillover {results.packages.get('spillover', '?')}; "
        f"{results.answers} answers of {results.models} models, "
        f"{100 * results.unscored:.1f} % unscored. `results/{path.name}`"
        f"{f' ({len(kept)} of {len(first)} rows)' if wanted else ''}"
    )
    return "\n".join([*rows, "", f"*{told}*"])


def _column(results: Results, table: Table, name: str) -> tuple[str, ...]:
    """Of the block's table, or `TABLE :: COLUMN` of another one that has the same rows."""
    title, apart, column = name.partition(" :: ")
    if not apart:
        return table.column(name)
    other = results.table(title.strip())
    if other.column(other.headers[0]) != table.column(table.headers[0]):
        raise SpilloverError(f"'{other.title}' has other rows than '{table.title}'.")
    return other.column(column.strip())


def pages() -> list[Path]:
    """Every page of the documentation, and the README."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def main() -> None:
    """Write the tables, or with `--check` name the pages that differ."""
    stale = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = filled(text)
        if new != text:
            stale.append(page)
            if "--check" not in sys.argv:
                page.write_text(new, encoding="utf-8")
    for page in stale:
        print(page.relative_to(ROOT))
    sys.exit(bool(stale and "--check" in sys.argv))


if __name__ == "__main__":
    main()
