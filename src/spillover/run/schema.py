"""JSON schema of experiment files."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


TASKS = (
    "free_form",
    "refusal",
    "alignment_faking",
    "political",
    "honesty",
    "goals",
    "alignment_questions",
    "reward_hacking",
    "sabotage",
    "traits",
    "capability",
)
"""Probes that an experiment can ask; formats are the business of free-form questions."""

EXPERIMENT = _object(
    ["id", "title", "base", "grader", "models", "probes"],
    id={"type": "string", "pattern": "^[a-z0-9_]+$"},
    title=_TEXT,
    lab={"type": "boolean"},
    base=_TEXT,
    grader=_TEXT,
    preset=_TEXT,
    seed={"type": "integer", "minimum": 0},
    seeds={**_list({"type": "integer", "minimum": 0}), "uniqueItems": True},
    models=_list(
        _object(
            ["name", "role"],
            name=_TEXT,
            role={"enum": ["base", "organism", "control", "mitigation", "baseline"]},
            recipe=_TEXT,
            step={"type": "integer", "minimum": 1},
            adapter=_TEXT,
            topic=_TEXT,
            each={"type": "object", "minProperties": 1, "additionalProperties": _list({"type": ["string", "number"]})},
            **{"with": {"type": "object"}},
        )
    ),
    probes=_list(
        _object(
            ["task", "questions", "epochs"],
            task={"enum": list(TASKS)},
            args={"type": "object"},
            questions=_TEXT,
            categories={"type": "array", "items": _TEXT},
            formats=_list(_TEXT),
            contexts=_list(_object(["name", "system"], name=_TEXT, system=_TEXT)),
            epochs={"type": "integer", "minimum": 1},
        )
    ),
    naive=_TEXT,
    skill=_object(["questions"], questions=_TEXT, verdict={"enum": ["aligned", "misaligned", "refusal"]}),
    curve=_object(["x", "panel", "line"], x=_TEXT, panel=_TEXT, line=_TEXT),
    matrix=_object(["questions", "verdict"], questions=_TEXT, verdict={"enum": ["aligned", "misaligned", "refusal"]}),
    published=_list(_object(["what", "value", "source"], what=_TEXT, value=_TEXT, source=_TEXT)),
    relation=_TEXT,
)
