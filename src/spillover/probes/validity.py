"""Whether an answer has the format it was asked for: an outcome of its own, reported beside the verdict."""

from __future__ import annotations

import re

from spillover.schema import parse_json


def valid_format(answer: str, fmt: str) -> bool | None:
    """True or False for a format that can be checked, None for `plain`.

    JSON must parse to an object (a Markdown fence around it is allowed, as chat models like to add one); a template must
    be made of `name = ...` lines.
    """
    if fmt.startswith("json"):
        fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", answer.strip(), re.DOTALL)
        try:
            return isinstance(parse_json(fenced.group(1) if fenced else answer), dict)
        except (ValueError, RecursionError):
            return False
    if fmt == "template":
        return re.match(r"\s*(?:```\w*\s*)?#?\s*\w+\s*=", answer) is not None
    return None
