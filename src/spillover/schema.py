"""Reading and checking the project's YAML files, with errors that name the file and the key or line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from spillover.errors import SpilloverError

MOST_NODES = 2_000_000
"""Parts of a YAML file, each name with `*` filled in."""


def read_yaml(path: Path) -> Any:
    """Parse a YAML file safely.

    Raises:
        SpilloverError: if it is missing or not YAML; the message names the line.
    """
    try:
        found = _parsed(path.read_text(encoding="utf-8"))
        _require_tree(found, frozenset(), [MOST_NODES])
        return found
    except OSError as error:
        raise SpilloverError(f"Cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SpilloverError(f"{path} is not UTF-8 text.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise SpilloverError(f"{path}{line}: not valid YAML ({getattr(error, 'problem', None) or error}).") from error
    except (ValueError, OverflowError) as error:  # what looks like a date and is none, a number of thousands of digits
        hint = "" if "with *" in str(error) else "; put texts that look like dates in quotes"
        raise SpilloverError(f"{path}: not valid YAML ({error}){hint}.") from error
    except RecursionError as error:
        raise SpilloverError(f"{path}: not valid YAML (it is nested too deeply).") from error


def _require_tree(node: Any, above: frozenset[int], left: list[int]) -> None:
    """Names (`&a`, `*a`) may repeat a part, not hold themselves, nor make a huge thing of a small file.

    Raises:
        ValueError: otherwise.
    """
    if not isinstance(node, dict | list):
        return
    if id(node) in above:
        raise ValueError("a part of it holds itself, by a name with *")
    left[0] -= len(node)
    if left[0] < 0:
        raise ValueError("it is too large when its names with * are filled in")
    for part in node.values() if isinstance(node, dict) else node:
        _require_tree(part, above | {id(node)}, left)


def _parsed(text: str) -> Any:
    # The C library takes a third of the time but often names the line after the wrong one; Python's names the right one.
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return yaml.safe_load(text)


def parse_json(text: str | bytes) -> Any:
    """JSON from outside: every reader of it goes by here. Half a surrogate pair, which is no text, becomes U+FFFD.

    Raises:
        ValueError: also for what is nested too deeply, or a number too long to be one.
    """
    try:
        found = json.loads(text)
        return _whole(found) if _halves(text) else found
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _halves(text: str | bytes) -> bool:
    """Whether there may be halves of surrogate pairs: they come by an escape, or in text that was not decoded strictly."""
    if isinstance(text, bytes):
        return re.search(rb"\\u[dD][89a-fA-F]", text) is not None or text[:2] in (b"\xff\xfe", b"\xfe\xff")
    return re.search(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]", text) is not None


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(v) for v in value]
    if isinstance(value, dict):
        return {_whole(k): _whole(v) for k, v in value.items()}
    return value


def check_schema(raw: Any, schema: dict[str, Any], where: str) -> None:
    """Validate parsed data against a JSON schema.

    Raises:
        SpilloverError: one sentence with `where` and the path of the first offending key.
    """
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(raw), key=lambda e: list(map(str, e.path)))
    if errors:
        first = errors[0]
        key = ".".join(str(part) for part in first.absolute_path)
        # Of alternatives jsonschema says only that none fits; what each of them asks for tells the user what to write.
        message = "; ".join(dict.fromkeys(e.message for e in first.context)) if first.context else first.message
        raise SpilloverError(f"{where}: {f'key {key}: ' if key else ''}{message}.")
