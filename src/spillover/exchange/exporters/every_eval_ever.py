"""One Every Eval Ever record a model, with copies of the logs that it was made from beside it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from spillover.exchange.export import Given
from spillover.exchange.records import SCHEMA, record
from spillover.schema import check_schema
from spillover.writing import write_json


def export(given: Given) -> list[Path]:
    """A record for every model that has a figure with a direction."""
    written = []
    for entry in given.entries:
        folder, logs = given.folder(entry), {}
        (folder / "logs").mkdir(exist_ok=True)
        for path in (p for p, name in given.log_models.items() if name == entry.name):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            name = f"logs/{digest[:12]}{path.suffix}"
            shutil.copyfile(path, folder / name)
            logs[name] = digest
        about = given.provenance.get(entry.name, {})
        body = record(entry, given.board.columns, about, given.preset, given.organisation, given.made, logs)
        if not body["evaluation_results"]:
            continue
        check_schema(body, SCHEMA, f"the record of {entry.name}")
        target = folder / "every_eval_ever.json"
        write_json(target, body)
        written.append(target)
    return written
