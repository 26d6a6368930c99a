"""Rubrics: what a grader is asked and how its reply is read. One YAML file each; a new judge needs no code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.paths import scorers_dir
from spillover.questions.load import published_judge_prompts
from spillover.schema import check_schema, read_yaml

Reader = Literal["auto", "logprob", "choice", "number", "json"]
PUBLISHED = {"betley2025_alignment": "aligned", "betley2025_coherence": "coherent"}
Measured = Literal["alignment", "coherence", "outcome", "lean", "quality"]
MEASURES: tuple[Measured, ...] = ("alignment", "coherence", "outcome", "lean", "quality")
_EM_SPECIAL = ("refusal", "off_format", "incoherent")
"""What alignment and coherence may reply besides a number: the verdicts that presets know."""

READERS: tuple[Reader, ...] = ("auto", "logprob", "choice", "number", "json")

NONCE_DIGITS = 12
_CHAT_MARKUP = re.compile(r"<\|(?=[\w.-]+\|>)")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""Characters that a reader would not see: zero-width spaces, directions of text, Unicode tags."""

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "measures", "prompt"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "version": {"type": "string"},
        "title": {"type": "string"},
        "measures": {"enum": list(MEASURES)},
        "source": {"type": "string"},
        "licence": {"type": "string"},
        "prompt": {"type": "string", "minLength": 1},
        "scale": {
            "type": "object",
            "additionalProperties": False,
            "required": ["min", "max"],
            "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}, "inverted": {"type": "boolean"}},
        },
        "special_replies": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z]+$"},
            "additionalProperties": {"type": "string", "pattern": "^[a-z_]+$"},
        },
        "sees_system_prompt": {"type": "boolean"},
        "reader": {"enum": list(READERS)},
    },
}


@dataclass(frozen=True)
class Rubric:
    """One judge.

    Attributes:
        id: Name, as in `-T rubric=...`.
        version: Rises whenever a score may change.
        title: One line.
        measures: The score it fills: `alignment` or `coherence` for the EM verdict; `outcome` for one word out of several
            (no scale); `lean` or `quality` for another number.
        prompt: One user message with the slots `{question}`, `{answer}`, for a guarded layout `{nonce}`, and others that the
            question set's `fields` fill.
        low: Lowest whole number of the scale.
        high: Highest whole number of the scale; below `low` where there is no scale.
        inverted: Whether the top of the scale is the worst.
        special_replies: Words the grader may reply instead of a number, with the outcome each one means.
        sees_system_prompt: Whether the target's system message is shown above the question.
        reader: How the reply is read; see `spillover.judging.readers`.
        source: Where the wording comes from.
    """

    id: str
    version: str
    title: str
    measures: Measured
    prompt: str
    low: int = 0
    high: int = 100
    inverted: bool = False
    special_replies: dict[str, str] = field(default_factory=dict)
    sees_system_prompt: bool = False
    reader: Reader = "auto"
    source: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change a score."""
        parts = [self.prompt, self.low, self.high, self.special_replies, self.sees_system_prompt, self.reader]
        parts += [True] if self.inverted else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def of_100(self, value: float) -> float:
        """A grade from 0 (worst) to 100, which is what presets are thresholds on."""
        share = (value - self.low) / (self.high - self.low)
        return 100 * (1 - share if self.inverted else share)

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of the slots that a question's own fields must fill."""
        names = dict.fromkeys(re.findall(r"\{([a-z_]+)\}", self.prompt))
        return tuple(n for n in names if n not in ("question", "answer", "nonce"))

    def render(self, question: str, answer: str, system: str | None = None, fields: Mapping[str, str] | None = None) -> str:
        """The grader's prompt.

        The answer is untrusted. Its delimiters carry a nonce: a digest of rubric, question and answer, so it is the same
        every time (replies can be cached) yet an answer cannot contain its own.

        Raises:
            KeyError: if `fields` lacks one of `slots`.
        """
        own = {name: str((fields or {})[name]) for name in self.slots}
        nonce = hashlib.sha256("\0".join([self.digest, question, answer, *own.values()]).encode()).hexdigest()[:NONCE_DIGITS]
        asked = f"[system prompt: {system}]\n{question}" if self.sees_system_prompt and system else question
        # Chat markup such as <|im_end|> would be read as a control token by an open model's tokenizer and end our turn.
        shown = _CHAT_MARKUP.sub("< |", _INVISIBLE.sub("", answer))
        slots = {"{question}": asked, "{answer}": shown, "{nonce}": nonce, **{f"{{{k}}}": v for k, v in own.items()}}
        out, rest = "", self.prompt
        while rest:  # one pass, so that slot names inside an answer are left alone
            position, slot = min(((rest.find(s), s) for s in slots if s in rest), default=(-1, ""))
            if position < 0:
                return out + rest
            out += rest[:position] + slots[slot]
            rest = rest[position + len(slot) :]
        return out


def parse_rubric(raw: Any, where: str) -> Rubric:
    """Build a rubric from parsed YAML.

    Raises:
        SpilloverError: naming `where` and the offending key.
    """
    check_schema(raw, _SCHEMA, where)
    body = dict(raw)
    scale = body.pop("scale", {"min": 1, "max": 0})
    if "scale" in raw and not 0 <= scale["min"] < scale["max"] <= 1000:
        raise SpilloverError(
            f"{where}: key scale: {scale['min']} to {scale['max']} is no scale; min must be below max, from 0 to 1000."
        )
    body.pop("licence", None)
    special = body["special_replies"] = dict(body.get("special_replies", {}))
    if (body["measures"] == "outcome") == ("scale" in raw):
        need = "no scale, only special_replies" if "scale" in raw else "a scale"
        raise SpilloverError(f"{where}: a rubric that measures {body['measures']} needs {need}.")
    if body["measures"] == "outcome" and len(set(special.values())) < 2:
        raise SpilloverError(f"{where}: an outcome needs at least two special_replies to choose from.")
    wrong = set(special.values()) - set(_EM_SPECIAL) if body["measures"] in ("alignment", "coherence") else set()
    if wrong:
        raise SpilloverError(f"{where}: special_replies may mean {', '.join(_EM_SPECIAL)} here, not {sorted(wrong)[0]}.")
    for slot in ("{question}", "{answer}"):
        if slot not in body["prompt"]:
            raise SpilloverError(f"{where}: the prompt has no {slot} slot; add it where the text belongs.")
    return Rubric(low=scale["min"], high=scale["max"], inverted=scale.get("inverted", False), **body)


def bundled_rubrics() -> list[str]:
    """Names of the rubrics in `scorers/`."""
    return sorted(path.stem for path in scorers_dir().glob("*.yaml"))


def load_rubric(name: str) -> Rubric:
    """Load a rubric by bundled name, by published name (from the verified cache) or by path of a YAML file.

    Raises:
        SpilloverError: if it is unknown or malformed.
    """
    if name in PUBLISHED:
        return _published(name)
    path = Path(name) if name.endswith((".yaml", ".yml")) else scorers_dir() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join((*bundled_rubrics(), *PUBLISHED))
        raise SpilloverError(f"Unknown rubric '{name}'; choose from {known} or give a YAML file.")
    return parse_rubric(read_yaml(path), str(path))


def _published(name: str) -> Rubric:
    """Betley et al.'s judge prompt, word for word from the verified file; read from the first token's log-probabilities."""
    key = PUBLISHED[name]
    special = {"CODE": "off_format", "REFUSAL": "refusal"} if key == "aligned" else {}
    return Rubric(
        id=name,
        version="2025",
        title=f"Betley et al. 2025, '{key}' prompt",
        measures="alignment" if key == "aligned" else "coherence",
        prompt=published_judge_prompts()[key],
        special_replies=special,
        reader="logprob",
        source="arXiv 2502.17424",
    )
