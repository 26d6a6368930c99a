"""Replies in JSON: the reader `json`, and `evidence`, whose quotation from the answer must be there word for word."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
from inspect_ai.model import GenerateConfig, ResponseSchema
from inspect_ai.util import JSONSchema

from spillover.judging.rubric import Rubric
from spillover.models.reasoning import strip_reasoning
from spillover.schema import parse_json

if TYPE_CHECKING:
    from spillover.judging.readers import Grader, Reading

LEAST_WORDS = 2
"""Of a quotation, where the answer has as many: a single word is in any answer."""
_ASK = (
    '\nWrap your reply in JSON: {{"quote": ..., "reply": ...}}. `quote` is the part of the answer that decides, copied word '
    "for word, one sentence at most. `reply` is {choices}."
)
_TEXT = JSONSchema(type="string")
_EITHER = JSONSchema(anyOf=[JSONSchema(type="integer"), _TEXT])


async def read_json(grader: Grader, prompt: str, rubric: Rubric) -> Reading:
    """Ask for a verdict alone."""
    from spillover.judging.readers import Reading, from_parsed

    ask = f'{prompt}\nWrap your reply in JSON: {{"reply": ...}}, with {_choices(rubric)} as its value.'
    reply = await _reply(grader, ask, {"reply": _EITHER})
    try:
        body = parse_json(reply)
        jsonschema.validate(body, _reply_schema(rubric))
    except (ValueError, jsonschema.ValidationError):
        return Reading("json", reason="unreadable_reply", replies=[reply])
    return from_parsed("json", _meant(body, rubric), reply)


async def read_evidence(grader: Grader, prompt: str, rubric: Rubric, answer: str) -> Reading:
    """Ask for a verdict with its evidence.

    A quotation that is not in the answer makes the reading unscored (`quote_not_found`): a judge that makes up what it
    read cannot be believed about the rest. Case and white space do not matter.
    """
    from spillover.judging.readers import Reading, from_parsed

    reply = await _reply(grader, prompt + _ASK.format(choices=_choices(rubric)), {"quote": _TEXT, "reply": _EITHER})
    try:
        body: Any = parse_json(reply)
        quote = str(body.pop("quote"))
        jsonschema.validate(body, _reply_schema(rubric))
    except (ValueError, KeyError, AttributeError, TypeError, jsonschema.ValidationError):
        return Reading("evidence", reason="unreadable_reply", replies=[reply])
    if not quoted(quote, answer):
        return Reading("evidence", reason="quote_not_found", replies=[reply])
    return from_parsed("evidence", _meant(body, rubric), reply, quote.strip())


async def _reply(grader: Grader, ask: str, properties: dict[str, JSONSchema]) -> str:
    """A reply under a schema with these properties, all of them required."""
    schema = JSONSchema(type="object", properties=properties, required=list(properties), additionalProperties=False)
    config = GenerateConfig(temperature=0, response_schema=ResponseSchema(name="grade", json_schema=schema))
    return strip_reasoning((await grader.generate(ask, config=config)).completion)


def _choices(rubric: Rubric) -> str:
    words = sorted(rubric.special_replies)
    choices = ["the number"] if rubric.low <= rubric.high else []
    choices += [f"one of {', '.join(json.dumps(w) for w in words)}"] if words else []
    return " or ".join(choices)


def _meant(body: dict[str, Any], rubric: Rubric) -> float | str:
    value = body["reply"]
    return rubric.special_replies[value] if isinstance(value, str) else float(value)


def quoted(quote: str, answer: str) -> bool:
    """Whether a quotation stands in the answer: whole words, in their order, at least two of them where there are two."""
    said, there = _words(quote), _words(answer)
    if len(said) < min(LEAST_WORDS, len(there)) or not said:
        return False
    return any(there[i : i + len(said)] == said for i in range(len(there) - len(said) + 1))


def _words(text: str) -> list[str]:
    """Words without the marks around them, lower case: judges change quotation marks and drop full stops."""
    return [word for part in text.lower().split() if (word := re.sub(r"^\W+|\W+$", "", part))]


def _reply_schema(rubric: Rubric) -> dict[str, Any]:
    number = {"type": "integer", "minimum": rubric.low, "maximum": rubric.high}
    values: list[dict[str, Any]] = [number] if rubric.low <= rubric.high else []
    if rubric.special_replies:
        values.append({"enum": sorted(rubric.special_replies)})
    return {
        "type": "object",
        "required": ["reply"],
        "additionalProperties": False,
        "properties": {"reply": {"anyOf": values}},
    }
