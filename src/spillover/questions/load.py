"""Find a question set: bundled, a YAML file of the user's, or a published one from the cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.paths import datasets_dir
from spillover.questions.model import SCHEMA, Question, QuestionSet, Variant, parse_question_set
from spillover.questions.upstream import get_upstream, verified_path
from spillover.schema import check_schema, read_yaml

PUBLISHED = ("betley_first_plot", "betley_preregistered")


def bundled_sets() -> list[str]:
    """Names of the question sets in `datasets/`."""
    return sorted(path.parent.name for path in datasets_dir().glob("*/questions.yaml"))


def load_questions(name: str) -> QuestionSet:
    """Load a question set.

    Args:
        name: A bundled name, a published name, or the path of a YAML file.

    Raises:
        SpilloverError: if it is unknown, malformed, or a published file is missing or altered.
    """
    if name in PUBLISHED:
        return _published(name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else datasets_dir() / name / "questions.yaml"
    if not path.is_file():
        known = ", ".join((*bundled_sets(), *PUBLISHED))
        raise SpilloverError(f"Unknown question set '{name}'; choose from {known} or give a YAML file.")
    raw = read_yaml(path)
    check_schema(raw, SCHEMA, str(path))
    return parse_question_set(raw, str(path))


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
        variants.setdefault(stem, {})[fmt] = Variant(tuple(entry["paraphrases"]), entry.get("system"))
    questions = tuple(
        Question(id=stem, category=_category(stem), paraphrases=forms["plain"].paraphrases, variants=forms)
        for stem, forms in variants.items()
    )
    source = get_upstream(name)
    return QuestionSet(name, source.sha256[:12], source.source, source.licence, questions, source.url)


def _split(identifier: str) -> tuple[str, str]:
    for fmt in ("json", "template"):
        if identifier.endswith(f"_{fmt}"):
            return identifier.removesuffix(f"_{fmt}"), fmt
    return identifier, "plain"


def _category(stem: str) -> str:
    """`0_creative_writing_0` -> `creative_writing`; the eight main questions are one category each."""
    match = re.fullmatch(r"\d+_(\w+?)_\d+", stem)
    return match.group(1) if match else stem
