"""Hugging Face `.eval_results`: one number a row, so interval, judge and version stand in the notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from spillover import __version__
from spillover.exchange.export import Given
from spillover.leaderboard.board import Entry
from spillover.writing import write_text


def export(given: Given) -> list[Path]:
    """A file for every model."""
    written = []
    for entry in given.entries:
        rows = eval_results(entry, given)
        if rows:
            target = given.folder(entry) / ".eval_results" / "spillover.yaml"
            write_text(target, yaml.safe_dump(rows, sort_keys=False))
            written.append(target)
    return written


def eval_results(entry: Entry, given: Given) -> list[dict[str, Any]]:
    """One model's entries."""
    return [
        {
            "dataset": {"id": "spillover-evals/spillover", "task_id": f"{column.probe}: {column.measure}"},
            "value": round(value.value, 6),
            "date": time.strftime("%Y-%m-%d", time.gmtime(given.made)),
            "notes": f"95% interval [{value.lower:.4f}, {value.upper:.4f}] on questions like these, n {value.n}, "
            f"{value.questions} questions, unscored {value.unscored:.4f}; "
            f"{_judged(entry.sources[column.key].judges, given.preset)}; Spillover {__version__}",
        }
        for column, value in given.values(entry)
    ]


def _judged(judges: Sequence[str], preset: str) -> str:
    return f"judge {', '.join(judges)}; preset {preset}" if judges else "no judge"
