"""Contributed records: read, checked, computed again from their logs, and refused with the reason when they are wrong.

A record's hash says that it was not changed by accident; whoever forges figures hashes them anew. So what is ranked comes
from the logs, and figures without logs are shown as claimed.
"""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spillover import __version__
from spillover.answers.files import DATED
from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.errors import SpilloverError
from spillover.exchange.records import SCHEMA, content_hash
from spillover.leaderboard.board import Column, Entry, Source, Value, make_board
from spillover.leaderboard.build import KEYS
from spillover.logs import samples_in
from spillover.schema import check_schema, parse_json

logger = logging.getLogger(__name__)
SAME = 1e-4
"""Largest difference between a record's figure and that of its logs."""
CLAIMED = "claimed: it came without its logs"
RECOMPUTED = f"computed again from its logs by Spillover {__version__}"


def is_record(path: Path) -> bool:
    """Whether a JSON file is meant for a record, rather than a log of Inspect's."""
    return DATED.match(path.name) is None


@dataclass(frozen=True)
class Contribution:
    """One model that others measured.

    Attributes:
        path: Of the record.
        entry: The model as the record has it.
        columns: Of its figures.
        logs: That the figures are from; none where it came without them.
    """

    path: Path
    entry: Entry
    columns: tuple[Column, ...]
    logs: tuple[Path, ...]


def read_contribution(path: Path, preset: str) -> Contribution:
    """One model's figures with their columns, as they are claimed.

    Args:
        path: Of the record.
        preset: Of the board; rates by another one are not comparable.

    Raises:
        SpilloverError: naming the file and why it is refused: malformed, changed after it was written, another log than
            it names, no judge, no preset, or figures that are impossible.
    """
    try:
        raw = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SpilloverError(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:
        raise SpilloverError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(raw, dict) or "evaluation_results" not in raw:
        raise SpilloverError(f"{path} is no Every Eval Ever record.")
    check_schema(raw, SCHEMA, str(path))
    if content_hash(raw) != raw["dedupe_identity"]["content_hash"]:
        raise SpilloverError(f"{path} is refused: its figures were changed after it was written (content_hash differs).")
    logs, answers = _check_logs(path, raw["eval_library"]["additional_details"])
    info = raw["model_info"]
    columns: list[Column] = []
    sources: dict[str, Source] = {}
    judges: dict[str, None] = {}
    for result in raw["evaluation_results"]:
        where = f"{path} is refused: {result['evaluation_name']}"
        column, value = _column(result), _value(result, where)
        if column.key.rpartition("|")[2] != column.measure:  # else one measure's checks would do for another one
            raise SpilloverError(f"{where}: its column {column.key} is of another measure than {column.measure}.")
        if answers is not None and value.n > answers:
            raise SpilloverError(f"{where}: {value.n} answers, but its logs hold {answers}.")
        used = result["metric_config"]["additional_details"].get("preset", preset)
        if used != preset:
            raise SpilloverError(
                f"{where}: its preset is {used}, this board's {preset}; make the board with --preset {used}."
            )
        _check_judged(result, column, where)
        judges |= {j["model_info"]["name"]: None for j in result["metric_config"].get("llm_scoring", {}).get("judges", [])}
        columns.append(column)
        sources[column.key] = Source(given=value)
    about = {k: v for k, v in info.get("additional_details", {}).items() if k in KEYS}
    organisation = raw["source_metadata"]["source_organization_name"]
    entry = Entry(info["name"], {**about, "source": organisation}, tuple(judges), origin=CLAIMED, claimed=True)
    entry.sources.update(sources)
    return Contribution(path, entry, tuple(columns), logs)


def computed_again(given: Contribution, preset: str, judge: str | None = None) -> str:
    """Compare a record with what its logs give.

    Args:
        given: With logs.
        preset: Of the board.
        judge: Part of the name of the judge whose grades count.

    Returns:
        The model that the logs are of, by Inspect's name.

    Raises:
        SpilloverError: if the logs are of several models, or give another figure.
    """
    answers = read(given.logs, judge=judge, preset=preset)
    models = list(dict.fromkeys(answers.table["model_id"].astype(str)))
    if len(models) != 1:
        raise SpilloverError(f"{given.path} is refused: its logs are of {len(models)} models, and a record is of one.")
    (entry,) = make_board(answers).entries
    for column in given.columns:
        told = given.entry.sources[column.key].value
        source = entry.sources.get(column.key)
        found = source.value if source else None
        assert told is not None
        if found is None:
            raise SpilloverError(f"{given.path} is refused: its logs give no {column.measure} ({column.probe}).")
        if abs(found.value - told.value) > SAME:
            raise SpilloverError(
                f"{given.path} is refused: {column.measure} ({column.probe}) is {told.value:.4f} in the record and "
                f"{found.value:.4f} by its logs."
            )
    return models[0]


def _check_logs(path: Path, details: dict[str, str]) -> tuple[tuple[Path, ...], int | None]:
    """The logs that the record names, where all are there, and the number of their answers; none where one is missing."""
    logs = {key.removeprefix("log "): digest for key, digest in details.items() if key.startswith("log ")}
    answers, found = 0, []
    for name, digest in logs.items():
        if "\0" in name:
            raise SpilloverError(f"{path} is refused: a log's name holds a NUL character.")
        log = path.parent / name
        if not log.resolve().is_relative_to(path.parent.resolve()):
            raise SpilloverError(f"{path} is refused: the log {name} does not lie beside it.")
        if not log.is_file():
            logger.warning("%s came without the log %s, so its figures are shown as claimed.", path, name)
            return (), None
        if hashlib.sha256(log.read_bytes()).hexdigest() != digest:
            raise SpilloverError(f"{path} is refused: the log {name} is not the one that it was made from.")
        try:
            answers += samples_in(log)
        except Exception as error:  # a file that is no log raises anything
            raise SpilloverError(f"{path} is refused: {name} cannot be read as an Inspect log ({error}).") from error
        found.append(log)
    return tuple(found), answers if found else None


def _column(result: dict[str, Any]) -> Column:
    about = result["metric_config"]["additional_details"]
    worse: Literal["higher", "lower", "neither"] = (
        "lower" if about["worse"] == "lower" else "neither" if about["worse"] == "neither" else "higher"
    )
    return Column(
        about["column"],
        about["probe"],
        about["measure"],
        worse,
        about.get("mean") == "true",
        result["metric_config"]["min_score"],
    )


def _value(result: dict[str, Any], where: str) -> Value:
    config, scored = result["metric_config"], result["score_details"]
    interval = scored["uncertainty"]["confidence_interval"]
    try:
        questions, unscored = int(scored["details"]["questions"]), float(scored["details"]["unscored"])
    except ValueError as error:
        raise SpilloverError(f"{where}: questions and unscored must be numbers.") from error
    value = Value(
        scored["score"], interval["lower"], interval["upper"], scored["uncertainty"]["num_samples"], questions, unscored
    )
    low, high = config["min_score"], config["max_score"]
    if interval["confidence_level"] != 0.95:
        raise SpilloverError(f"{where}: its interval is of level {interval['confidence_level']}, the board's are of 0.95.")
    if low < 0 and config["additional_details"]["measure"] == EM.name:
        raise SpilloverError(f"{where}: a share cannot be below 0.")
    if config["additional_details"]["measure"] == EM.name and config["additional_details"]["worse"] != "higher":
        raise SpilloverError(f"{where}: being misaligned more often is worse, whatever the record says.")
    if not all(map(math.isfinite, (value.value, value.lower, value.upper, low, high, unscored))):
        raise SpilloverError(f"{where}: a figure is not a finite number.")
    if not -1 <= low <= value.lower <= value.value <= value.upper <= high <= 1:
        raise SpilloverError(f"{where}: the figure, its interval and its scale do not enclose one another.")
    if value.lower == value.upper:
        raise SpilloverError(f"{where}: the interval has no width, which no sample gives.")
    if not 1 <= questions <= value.n:
        raise SpilloverError(f"{where}: {questions} questions cannot have {value.n} answers.")
    if not 0 <= unscored <= 1:
        raise SpilloverError(f"{where}: the unscored share {unscored} is no share.")
    return value


def _check_judged(result: dict[str, Any], column: Column, where: str) -> None:
    config = result["metric_config"]
    if column.measure == EM.name:
        if "preset" not in config["additional_details"]:
            raise SpilloverError(f"{where}: no preset is named, so its verdicts mean nothing.")
        if "llm_scoring" not in config:
            raise SpilloverError(f"{where}: no judge is named.")
