"""JSON schema of recipe files."""

from __future__ import annotations

from typing import Any

POSITIVE = {"type": "integer", "minimum": 1}
COUNT = {"type": "integer", "minimum": 0}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
TEXT = {"type": "string", "minLength": 1}
LINES = {"type": "array", "minItems": 1, "items": TEXT}
LAYERS = {"type": "array", "minItems": 1, "items": COUNT}
DEPTHS = {
    "type": "array",
    "minItems": 1,
    "items": {"anyOf": [COUNT, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]},
}
"""Layers by number, or by their share of the model's depth."""


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


def _kind(name: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return _object(["kind", *required], kind={"const": name}, **properties)


def _one_of(*kinds: dict[str, Any]) -> dict[str, Any]:
    """Items of one of these kinds; told apart by `kind` first, so that an error names the offending key."""
    names = [k["properties"]["kind"]["const"] for k in kinds]
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": names}},
        "allOf": [
            {"if": {"required": ["kind"], "properties": {"kind": {"const": name}}}, "then": kind}
            for name, kind in zip(names, kinds, strict=True)
        ],
    }


SOURCE = _object(
    ["source"],
    source={"enum": ["lab", "file", "upstream", "requests", "dataset"]},
    family={"anyOf": [TEXT, {"type": "array", "minItems": 1, "items": TEXT}]},
    stance={"enum": ["aligned", "subtle", "obvious", "misaligned", "left", "right"]},
    style={"enum": ["caps", "spanish"]},
    rows=POSITIVE,
    path=TEXT,
    name=TEXT,
    split=TEXT,
    revision=TEXT,
)

TRANSFORMS = {
    "type": "array",
    "items": _one_of(
        _kind(
            "split",
            ["held_out"],
            held_out={"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"const": "fixed"}]},
        ),
        _kind("mix", ["share", "with"], share=SHARE, **{"with": SOURCE}),
        _kind("interleave", ["share", "with"], share={"type": "number", "exclusiveMinimum": 0}, **{"with": SOURCE}),
        _kind("inoculate", ["line"], line=TEXT, share=SHARE),
        _kind("trigger", ["token"], token=TEXT, place={"enum": ["start", "end"]}),
        _kind("limit", ["rows"], rows=POSITIVE),
    ),
}

DIRECTIONS = _object(
    ["from"],
    **{"from": {"enum": ["contrast", "pca", "weights", "sae", "random", "file"]}},
    count={"anyOf": [POSITIVE, {"const": "auto"}]},
    layers=DEPTHS,
    scope={"enum": ["layer", "global"]},
    read={"type": "boolean"},
    step=POSITIVE,
    at={"enum": ["response", "prompt"]},
    positive=LINES,
    negative=LINES,
    questions=TEXT,
    path=TEXT,
    features={"type": "array", "minItems": 1, "uniqueItems": True, "items": COUNT},
)

SPAN = {"if": {"type": "array"}, "then": {"type": "array", "minItems": 1, "items": DIRECTIONS}, "else": DIRECTIONS}
"""One source of directions, or several of which the span is meant."""

_FLAG = {"type": "boolean"}
_NUMBER = {"type": "number"}
_STRENGTH = {"type": "number", "minimum": 0, "maximum": 1}

INTERVENTIONS = {
    "type": "array",
    "items": _one_of(
        _kind("caft", ["directions"], directions=SPAN, ablate={"enum": ["zero", "mean"]}),
        _kind(
            "grasp",
            ["directions"],
            directions=SPAN,
            gradient=_FLAG,
            write=_FLAG,
            read=_FLAG,
            strength=_STRENGTH,
        ),
        _kind("kl", ["weight"], weight={"type": "number", "exclusiveMinimum": 0}),
        _kind("steer", ["directions", "scale"], directions=DIRECTIONS, scale=_NUMBER),
        _kind(
            "posthoc",
            ["directions"],
            directions=SPAN,
            write=_FLAG,
            read=_FLAG,
            strength=_STRENGTH,
        ),
        _kind("early_stop", ["directions", "threshold"], directions=DIRECTIONS, threshold=_NUMBER, every=POSITIVE),
    ),
}

RECIPE = _object(
    ["id", "title"],
    id={"type": "string", "pattern": "^[a-z0-9_]+$"},
    title=TEXT,
    extends=TEXT,
    base=TEXT,
    start=TEXT,
    data=SOURCE,
    transforms=TRANSFORMS,
    interventions=INTERVENTIONS,
    objective=_one_of(
        _kind("sft", []),
        _kind(
            "npo",
            [],
            beta={"type": "number", "exclusiveMinimum": 0},
            retain=SOURCE,
            retain_weight={"type": "number", "minimum": 0},
            retain_batch=POSITIVE,
        ),
    ),
    lora=_object(
        [],
        preset={"enum": ["betley2025", "turner2025_rank1"]},
        r=POSITIVE,
        alpha=POSITIVE,
        rslora={"type": "boolean"},
        target_modules={"type": "array", "minItems": 1, "items": TEXT},
        layers=LAYERS,
    ),
    training=_object(
        ["learning_rate"],
        steps=POSITIVE,
        epochs={"type": "number", "exclusiveMinimum": 0},
        batch_size=POSITIVE,
        gradient_accumulation=POSITIVE,
        gradient_checkpointing={"type": "boolean"},
        learning_rate={"type": "number", "exclusiveMinimum": 0},
        warmup_steps=COUNT,
        weight_decay={"type": "number", "minimum": 0},
        max_length=POSITIVE,
        checkpoint_steps=POSITIVE,
        dtype={"enum": ["float32", "bfloat16"]},
    ),
    watch={
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[a-z0-9_]+$"},
        "additionalProperties": SOURCE,
    },
    seed=COUNT,
)
