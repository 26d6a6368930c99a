"""JSON schemas of the declared file formats, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from spillover.declared import json_schema
from spillover.judging.attacks import AttackFile
from spillover.questions.formats import FormatFile
from spillover.questions.model import QuestionSet
from spillover.questions.upstream import UpstreamFile
from spillover.questions.wraps import WrapFile
from spillover.situations.scenario import ScenarioSet

MODELS: dict[str, type[BaseModel]] = {
    "questions": QuestionSet,
    "scenarios": ScenarioSet,
    "formats": FormatFile,
    "wraps": WrapFile,
    "upstream": UpstreamFile,
    "attacks": AttackFile,
}
"""Stem of the file's name to what the file must be."""


def schemas() -> dict[str, dict[str, Any]]:
    """JSON schema of every format by the stem of the file's name (`questions` for `questions.yaml`)."""
    return {name: json_schema(model) for name, model in MODELS.items()}
