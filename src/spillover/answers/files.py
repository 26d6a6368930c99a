"""Log files one by one: found, read once, several at a time where that pays; what is wrong with one is said, not raised."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from inspect_ai.log import EvalLog

from spillover.answers.answer_rows import rows_of
from spillover.answers.certified import certificates_in
from spillover.answers.external import OtherScore
from spillover.answers.lm_eval import is_lm_eval, lm_eval_scores
from spillover.answers.table import tidy
from spillover.errors import SpilloverError
from spillover.judging.certificate import Certificate
from spillover.logs import read_log
from spillover.table_files import READERS, ending, is_table

LOG_ENDINGS = (".eval", ".json")
DATED = re.compile(r"\d{4}-\d\d-\d\dT")
"""How Inspect begins the names of its logs; other JSON files in a folder of logs are none."""
PARALLEL_BYTES = 24_000_000
"""Logs that are larger in all are read by a process for each core: starting one costs seconds."""


@dataclass(frozen=True)
class Loaded:
    """One log.

    Attributes:
        path: Of the file.
        header: The log without its samples; None if it cannot be read.
        table: Its answers; None for another package's task.
        problem: Why it cannot be read.
        certificates: Of its graders.
        others: Metrics that another harness wrote, where it is a file of one.
    """

    path: Path
    header: EvalLog | None = None
    table: pd.DataFrame | None = None
    problem: str | None = None
    certificates: tuple[Certificate, ...] = ()
    others: tuple[OtherScore, ...] = ()

    @property
    def run(self) -> str:
        """Task id: the same for the log of a retry."""
        return self.header.eval.task_id if self.header else str(self.path)

    @property
    def about(self) -> dict[str, Any]:
        """The log's metadata."""
        return (self.header.eval.metadata or {}) if self.header else {}

    @property
    def measures(self) -> Sequence[dict[str, Any]]:
        """What it reports."""
        return list(self.about.get("measures") or ())


def find(paths: Sequence[Path], others: bool = False) -> tuple[list[Path], list[Path]]:
    """(logs, tables) among files and folders; folders are searched for logs, and no file is taken twice.

    Args:
        paths: Files or folders.
        others: Whether result files of another harness count as logs, too.

    Raises:
        SpilloverError: if a path is missing or nothing is found.
    """
    logs: dict[Path, None] = {}
    tables: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise SpilloverError(f"There is no {'file' if ending(path) in READERS else 'log or table'} at {path}.")
        if path.is_file() and not path.stat().st_size:
            raise SpilloverError(f"{path} is empty; give a file with answers in it.")
        if is_table(path) and not (others and is_lm_eval(path)):
            tables[path] = None
        elif path.is_dir():
            logs |= dict.fromkeys(p for p in sorted(path.rglob("*")) if _is_log(p) or (others and is_lm_eval(p)))
        else:
            logs[path] = None
    if not logs and not tables:
        raise SpilloverError(f"No .eval logs in {', '.join(map(str, paths))}; tables are named one by one.")
    known: dict[Path, Path] = {}
    for path in logs:
        known.setdefault(path.resolve(), path)
    return sorted(known.values(), key=lambda p: p.name), list(tables)


def _is_log(path: Path) -> bool:
    if path.name.startswith(".") or not path.is_file():
        return False
    return path.suffix == ".eval" or (path.suffix == ".json" and DATED.match(path.name) is not None)


def load(paths: Sequence[Path]) -> list[Loaded]:
    """Every log, in order of name, which is the order of time."""
    size = sum(path.stat().st_size for path in paths)
    workers = min(len(paths), os.cpu_count() or 1)
    if size < PARALLEL_BYTES or workers < 2:
        return [load_one(path) for path in paths]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(load_one, paths))


def load_one(path: Path) -> Loaded:
    """One log; a damaged one comes back with its problem, since the others are still worth reading."""
    if path.suffix not in LOG_ENDINGS:
        return Loaded(path, problem=f"the ending must be one of {', '.join(READERS)}, .eval.")
    try:
        if is_lm_eval(path):
            return Loaded(path, others=tuple(lm_eval_scores(path)))
        header = read_log(path, header_only=True)
        if not is_ours(header):
            return Loaded(path, header)
        log = read_log(path)
        table = tidy([row for sample in log.samples or [] for row in rows_of(log, sample, path)])
        certificates = tuple(certificates_in(log))
    except SpilloverError as error:
        return Loaded(path, problem=str(error))
    except Exception as error:  # a damaged zip raises anything, and a log that was edited may hold anything
        return Loaded(path, problem=f"it cannot be read as an Inspect log ({error}).")
    header = log.model_copy(update={"samples": None, "reductions": None})
    return Loaded(path, header, table, certificates=certificates)


def is_ours(log: EvalLog) -> bool:
    """Whether a log holds answers of ours: every probe names itself."""
    return "probe" in (log.eval.metadata or {})


def headers(found: Iterable[Loaded]) -> list[EvalLog]:
    """Those that could be read."""
    return [f.header for f in found if f.header is not None]
