"""Data files as typed models: declared once, read strictly, refused in one sentence that names file and key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from spillover.errors import SpilloverError
from spillover.schema import read_yaml


class Declared(BaseModel):
    """Base of every declared file format: unknown keys are refused, nothing is converted, instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
M = TypeVar("M", bound=BaseModel)

_SENTENCES = {
    "missing": "'{name}' is a required property",
    "extra_forbidden": "there is no key '{name}' here",
    "literal_error": "'{input}' is not one of {expected}",
    "enum": "'{input}' is not one of {expected}",
    "union_tag_invalid": "'{tag}' is not one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is a required property",
    "string_type": "{input} is not a text",
    "int_type": "{input} is not a whole number",
    "int_from_float": "{input} is not a whole number",
    "float_type": "{input} is not a number",
    "bool_type": "{input} is not true or false",
    "tuple_type": "{input} is not a list",
    "list_type": "{input} is not a list",
    "dict_type": "{input} is not a mapping",
    "model_type": "{input} is not a mapping",
    "model_attributes_type": "{input} is not a mapping",
    "greater_than": "{input} is not above {gt}",
    "greater_than_equal": "{input} is less than the minimum of {ge}",
    "less_than": "{input} is not below {lt}",
    "less_than_equal": "{input} is more than the maximum of {le}",
    "too_short": "there must be at least {min_length} of them",
    "string_too_short": "the text is empty",
    "string_pattern_mismatch": "'{input}' does not match {pattern}",
}
"""What is wrong, by pydantic's kind of error; its own words for any other."""


def parse(model: type[M], raw: Any, where: str, context: dict[str, Any] | None = None) -> M:
    """Parsed YAML or JSON as a model.

    Args:
        model: What it must be.
        raw: Plain data.
        where: File, for the sentence.
        context: For the model's validators.

    Raises:
        SpilloverError: naming `where` and the first offending key.
    """
    try:
        text = json.dumps(raw, default=str)
    except (TypeError, ValueError) as error:  # a date as a key, an anchor within itself
        raise SpilloverError(f"{where}: this is no plain data ({error}).") from error
    try:
        return model.model_validate_json(text, context=context)
    except ValidationError as error:
        raise SpilloverError(f"{where}: {sentence(error, raw)}.") from error


def load(model: type[M], path: Path) -> M:
    """A YAML file as a model.

    Raises:
        SpilloverError: if it can not be read, or as `parse`.
    """
    return parse(model, read_yaml(path), str(path))


def sentence(error: ValidationError, raw: Any) -> str:
    """What is wrong at the first place that has something wrong, with its key and without a full stop."""
    found = [(_place(e["loc"], raw), e) for e in error.errors(include_url=False) if not _of_its_items(e)]
    place = min((place for place, _ in found), key=_order)
    key = f"key {'.'.join(map(str, place))}: " if place else ""
    # Alternatives fail one by one at the same place; together they tell what may stand there.
    return key + "; ".join(dict.fromkeys(_message(e) for where, e in found if where == place))


def _of_its_items(error: ErrorDetails) -> bool:
    """Whether a list is short only because pydantic leaves out what is wrong in it, which is told of itself."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _message(error: ErrorDetails) -> str:
    kind, given, value = str(error["type"]), error.get("ctx") or {}, error["input"]
    shown = value[:80] if isinstance(value, str) else json.dumps(value, default=str)[:80]
    text = _SENTENCES.get(kind)
    if text is None:
        return str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    if kind in ("float_type", "int_type") and isinstance(value, str) and _EXPONENT.fullmatch(value):
        return f"{value} is a text in YAML, where a number of this form has a point and a sign: {float(value):.1e}"
    return text.format(name=error["loc"][-1] if error["loc"] else "", input=shown, **given)


def _place(loc: Sequence[int | str], raw: Any) -> tuple[int | str, ...]:
    """Where in the file; pydantic's names of alternatives stand in no file, and a missing key has no place there."""
    out: list[int | str] = []
    for part in loc:
        there = part in raw if isinstance(raw, dict) else isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        if there:
            raw = raw[part]
            out.append(part)
    return tuple(out)


def _order(place: Sequence[int | str]) -> list[str]:
    return [f"{part:09d}" if isinstance(part, int) else part for part in place]


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema, for editors."""
    return model.model_json_schema()
