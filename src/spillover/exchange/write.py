"""Write a board's figures for others: Every Eval Ever records, Hugging Face `.eval_results`, CSV and parquet."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from spillover import __version__
from spillover.exchange.records import SCHEMA, record
from spillover.leaderboard.board import Board, Entry
from spillover.schema import check_schema


def write_exchange(
    out: Path,
    board: Board,
    provenance: Mapping[str, Mapping[str, str]],
    log_models: Mapping[Path, str],
    preset: str,
    organisation: str,
) -> list[Path]:
    """One folder a model with its record, its `.eval_results` and copies of its logs, and a table of all figures.

    Args:
        out: Folder.
        board: Columns and models.
        provenance: Model to what is known of its logs.
        log_models: Log to the model as shown.
        preset: Thresholds behind the EM rates.
        organisation: Who measured.
    """
    made = time.time()
    written = []
    for entry in board.entries:
        if any(source.given is not None for source in entry.sources.values()):
            continue  # contributed by others: theirs to publish
        folder = out / entry.slug
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        logs = {}
        for path in (p for p, name in log_models.items() if name == entry.name):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            name = f"logs/{digest[:12]}{path.suffix}"
            shutil.copyfile(path, folder / name)
            logs[name] = digest
        body = record(entry, board.columns, provenance.get(entry.name, {}), preset, organisation, made, logs)
        if not body["evaluation_results"]:
            continue
        check_schema(body, SCHEMA, f"the record of {entry.name}")
        target = folder / "every_eval_ever.json"
        target.write_text(json.dumps(body, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
        results = folder / ".eval_results" / "spillover.yaml"
        results.parent.mkdir(exist_ok=True)
        results.write_text(yaml.safe_dump(eval_results(entry, board, preset, made), sort_keys=False), encoding="utf-8")
        written += [target, results]
    table = pd.DataFrame(_rows(board))
    for ending, write in (("csv", table.to_csv), ("parquet", table.to_parquet)):
        path = out / f"figures.{ending}"
        write(path, index=False)
        written.append(path)
    return written


def eval_results(entry: Entry, board: Board, preset: str, made: float) -> list[dict[str, Any]]:
    """Hugging Face's entries; the format has one number a row, so interval, judge and version stand in the notes."""
    out = []
    for column in board.columns:
        value = entry.sources[column.key].value if column.key in entry.sources else None
        if value is None:
            continue
        notes = (
            f"95% interval [{value.lower:.4f}, {value.upper:.4f}] on questions like these, n {value.n}, "
            f"{value.questions} questions, unscored {value.unscored:.4f}; judge {', '.join(entry.judges) or 'none'}; "
            f"preset {preset}; Spillover {__version__}"
        )
        task = f"{column.probe}: {column.measure}"
        out.append(
            {
                "dataset": {"id": "spillover-evals/spillover", "task_id": task},
                "value": round(value.value, 6),
                "date": time.strftime("%Y-%m-%d", time.gmtime(made)),
                "notes": notes,
            }
        )
    return out


def _rows(board: Board) -> list[dict[str, Any]]:
    out = []
    for entry in board.entries:
        for column in board.columns:
            value = entry.sources[column.key].value if column.key in entry.sources else None
            if value is not None:
                about = {"model": entry.name, **entry.about, "judge": ", ".join(entry.judges)}
                out.append({**about, "probe": column.probe, "measure": column.measure, **vars(value)})
    return out
