"""All figures of all models as one table, CSV and parquet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spillover.exchange.export import Given
from spillover.writing import write_table


def export(given: Given) -> list[Path]:
    """Contributed figures, too: the table is the board's."""
    rows = [
        {
            "model": entry.name,
            **entry.about,
            "origin": entry.origin,
            "claimed": entry.claimed,
            "judge": ", ".join(entry.sources[column.key].judges),
            "probe": column.probe,
            "measure": column.measure,
            **vars(value),
        }
        for entry in given.board.entries
        for column, value in given.values(entry)
    ]
    table = pd.DataFrame(rows)
    csv, parquet = given.out / "figures.csv", given.out / "figures.parquet"
    for path in (csv, parquet):
        write_table(table, path)
    return [csv, parquet]
