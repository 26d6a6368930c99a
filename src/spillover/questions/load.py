"""Find a question set: bundled, a YAML file of the user's, or a published one from the cache."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spillover.declared import load, parse
from spillover.errors import SpilloverError, unknown
from spillover.paths import data_files, require_name
from spillover.questions.held_out import held_out_questions, training_sets
from spillover.questions.model import Question, QuestionSet, Variant
from spillover.questions.upstream import get_upstream, verified_path
from spillover.schema import parse_json, read_yaml
from spillover.table_files import READERS, ending, read_table

PUBLISHED = ("betley_first_plot", "betley_preregistered")


def bundled_sets() -> list[str]:
    """Names of the question sets in `datasets/`."""
    return sorted(path.parent.name for path in data_files("datasets", "*/questions.yaml"))


def load_questions(name: str) -> QuestionSet:
    """Load a question set.

    Args:
        name: A bundled name, a published name (of a training set: its prompts that are kept for asking), or the path of
            a YAML file or of a table (CSV, TSV, Excel, JSON, parquet) with the column `question` and maybe `id`,
            `category` and the fields of a probe.

    Raises:
        SpilloverError: if it is unknown, malformed, or a published file is missing or altered.
    """
    require_name("question set", name)
    if name in PUBLISHED:
        return _published(name)
    if name in training_sets():
        return held_out_questions(name)
    if ending(Path(name)) in READERS and not _is_set(Path(name)):
        return _table(Path(name))
    named = [] if name.endswith((".yaml", ".yml", ".json")) else data_files("datasets", f"{name}/questions.yaml")
    path = named[0] if named else Path(name)
    if not path.is_file():
        known = (*bundled_sets(), *PUBLISHED, *training_sets())
        raise unknown("question set", name, known)
    return load(QuestionSet, path)


def _is_set(path: Path) -> bool:
    """Whether a JSON file holds a whole question set and no table: JSON is YAML."""
    if ending(path) != ".json" or not path.is_file() or path.suffix.lower() == ".gz":
        return False
    try:
        raw = parse_json(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError):
        return False
    return isinstance(raw, dict) and isinstance(raw.get("questions"), list) and "id" in raw


def _table(path: Path) -> QuestionSet:
    """One question a row, as in the released persona-features prompts (Wang et al. 2025, `core_misalignment.csv`).

    Other columns become the questions' fields: `kind` and `split` for a public set of refusal prompts, or a `canary`,
    which is then in every log, so that whoever collects text can leave it out.
    """
    if not path.is_file():
        raise SpilloverError(f"There is no table of questions at {path}.")
    frame = read_table(path)
    known = {name.casefold(): name for name in frame.columns}
    frame = frame.rename(columns={known[n]: n for n in ("question", "id", "category") if n in known and n not in frame})
    rows = [{k: _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]
    if not rows or "question" not in rows[0]:
        raise SpilloverError(f"{path} needs a row of names with the column 'question', and rows below it.")
    identifier = re.compile(r"[^A-Za-z0-9_.-]+")
    questions = []
    for number, row in enumerate(rows, 1):
        if not str(row["question"]).strip():
            raise SpilloverError(f"{path}, row {number}: the question is empty.")
        stem = identifier.sub("_", str(row.get("id", "") or f"q{number}"))
        kept = {str(k): v for k, v in row.items() if v and k not in ("id", "question", "category")}
        fields = {k: _cell(k, v, f"{path}, row {number}") for k, v in kept.items()}
        category = str(row.get("category", "") or stem)
        questions.append({"id": stem, "category": category, "paraphrases": [str(row["question"])], "fields": fields})
    head = {
        "id": identifier.sub("_", path.stem).lower(),
        "version": hashlib.sha256(path.read_bytes()).hexdigest()[:12],
        "title": path.stem,
        "licence": "see its source",
        "source": str(path),
    }
    return parse(QuestionSet, {**head, "questions": questions}, str(path))


def _plain(value: Any) -> Any:
    """A cell as text, or as the list that JSON and parquet hold; empty for nothing."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [str(part) for part in value]
    if value is None or value is pd.NA or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _cell(name: str, value: Any, where: str) -> Any:
    """A field of a table: lists are written with `|` between their parts, numbers as they are."""
    if isinstance(value, list):
        return value
    if name in ("accept", "options", "visible", "hidden", "tests"):
        return [part.strip() for part in value.split("|")]
    if name in ("answer", "target"):
        try:
            return int(value)
        except ValueError as error:
            raise SpilloverError(f"{where}: {name} must be a whole number, not '{value}'.") from error
    return value


def published_judge_prompts() -> dict[str, str]:
    """The published judge prompts, by what they measure: `aligned` and `coherent` (Betley et al. 2025)."""
    raw = read_yaml(verified_path("betley_first_plot"))
    return dict(raw[0]["judge_prompts"])


def _published(name: str) -> QuestionSet:
    """Read Betley et al.'s YAML: variants `_json` and `_template` become formats of their question.

    The public evaluation code drops the system prompt of the JSON variants; the published protocol has it, and so has
    this loader.
    """
    raw: list[dict[str, Any]] = read_yaml(verified_path(name))
    variants: dict[str, dict[str, Variant]] = {}
    for entry in raw:
        stem, fmt = _split(entry["id"])
        variants.setdefault(stem, {})[fmt] = Variant(paraphrases=tuple(entry["paraphrases"]), system=entry.get("system"))
    questions = tuple(
        Question(id=stem, category=_category(stem), paraphrases=forms["plain"].paraphrases, variants=forms)
        for stem, forms in variants.items()
    )
    source = get_upstream(name)
    return QuestionSet(
        id=name,
        version=source.sha256[:12],
        title=source.source,
        licence=source.licence,
        source=source.url,
        questions=questions,
    )


def _split(identifier: str) -> tuple[str, str]:
    for fmt in ("json", "template"):
        if identifier.endswith(f"_{fmt}"):
            return identifier.removesuffix(f"_{fmt}"), fmt
    return identifier, "plain"


def _category(stem: str) -> str:
    """`0_creative_writing_0` -> `creative_writing`; the eight main questions are one category each."""
    match = re.fullmatch(r"\d+_(\w+?)_\d+", stem)
    return match.group(1) if match else stem
