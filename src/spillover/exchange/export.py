"""Write a board's figures for others: every file of `exporters/` is a format, and is found by being there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spillover.discovery import modules_of
from spillover.leaderboard.board import Board, Column, Entry, Value


@dataclass(frozen=True)
class Given:
    """What an exporter writes from.

    Attributes:
        out: Folder; each model has one of its own below it, see `folder`.
        board: Columns and models.
        provenance: Model to what is known of its logs.
        log_models: Log to the model as shown.
        preset: Thresholds behind the outcomes.
        organisation: Who measured.
        made: Seconds since 1970.
    """

    out: Path
    board: Board
    provenance: Mapping[str, Mapping[str, str]]
    log_models: Mapping[Path, str]
    preset: str
    organisation: str
    made: float = field(default_factory=time.time)

    @property
    def entries(self) -> list[Entry]:
        """Models that were measured here: what others contributed is theirs to publish."""
        return [e for e in self.board.entries if not e.origin]

    def folder(self, entry: Entry) -> Path:
        """A model's own folder."""
        place = self.out / entry.slug
        place.mkdir(parents=True, exist_ok=True)
        return place

    def values(self, entry: Entry) -> Iterator[tuple[Column, Value]]:
        """A model's figures in the order of the board."""
        for column in self.board.columns:
            value = entry.sources[column.key].value if column.key in entry.sources else None
            if value is not None:
                yield column, value


def write_exchange(given: Given) -> list[Path]:
    """Every format's files. An exporter is a module with `export(given: Given) -> list[Path]`."""
    given.out.mkdir(parents=True, exist_ok=True)
    exporters = modules_of("spillover.exchange.exporters", "exporters")
    return [path for exporter in exporters for path in exporter.export(given)]
