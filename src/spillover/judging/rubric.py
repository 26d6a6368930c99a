"""Rubrics: what a grader is asked and how its reply is read. One YAML file each; a new judge needs no code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError
from spillover.paths import scorers_dir
from spillover.questions.load import published_judge_prompts
from spillover.schema import check_schema, read_yaml

Reader = Literal["auto", "logprob", "choice", "number", "json"]
PUBLISHED = {"betley2025_alignment": "aligned", "betley2025_coherence": "coherent"}
READERS: tuple[Reader, ...] = ("auto", "logprob", "choice", "number", "json")

NONCE_DIGITS = 12
_CHAT_MARKUP = re.compile(r"<\|(?=[\w.-]+\|>)")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""Characters that a reader would not see: zero-width spaces, directions of text, Unicode tags."""

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "measures", "prompt", "scale"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "version": {"type": "string"},
        "title": {"type": "string"},
        "measures": {"enum": ["alignment", "coherence"]},
        "source": {"type": "string"},
        "licence": {"type": "string"},
        "prompt": {"type": "string", "minLength": 1},
        "scale": {
            "type": "object",
            "additionalProperties": False,
            "required": ["min", "max"],
            "properties": {"min": {"const": 0}, "max": {"const": 100}},  # presets are thresholds on this scale
        },
        "special_replies": {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Z]+$"},
            "additionalProperties": {"enum": ["refusal", "off_format", "incoherent"]},
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
        measures: `alignment` or `coherence`: the score it fills.
        prompt: One user message with the slots `{question}`, `{answer}` and, for a guarded layout, `{nonce}`.
        low: Lowest whole number of the scale.
        high: Highest whole number of the scale.
        special_replies: Words the grader may reply instead of a number, with the verdict each one means.
        sees_system_prompt: Whether the target's system message is shown above the question.
        reader: How the reply is read; see `spillover.judging.readers`.
        source: Where the wording comes from.
    """

    id: str
    version: str
    title: str
    measures: Literal["alignment", "coherence"]
    prompt: str
    low: int = 0
    high: int = 100
    special_replies: dict[str, str] = field(default_factory=dict)
    sees_system_prompt: bool = False
    reader: Reader = "auto"
    source: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change a score."""
        parts = [self.prompt, self.low, self.high, self.special_replies, self.sees_system_prompt, self.reader]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def render(self, question: str, answer: str, system: str | None = None) -> str:
        """The grader's prompt.

        The answer is untrusted. Its delimiters carry a nonce: a digest of rubric, question and answer, so it is the same
        every time (replies can be cached) yet an answer cannot contain its own.
        """
        nonce = hashlib.sha256("\0".join([self.digest, question, answer]).encode()).hexdigest()[:NONCE_DIGITS]
        asked = f"[system prompt: {system}]\n{question}" if self.sees_system_prompt and system else question
        # Chat markup such as <|im_end|> would be read as a control token by an open model's tokenizer and end our turn.
        shown = _CHAT_MARKUP.sub("< |", _INVISIBLE.sub("", answer))
        slots = {"{question}": asked, "{answer}": shown, "{nonce}": nonce}
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
    scale = body.pop("scale")
    body.pop("licence", None)
    body["special_replies"] = dict(body.get("special_replies", {}))
    for slot in ("{question}", "{answer}"):
        if slot not in body["prompt"]:
            raise SpilloverError(f"{where}: the prompt has no {slot} slot; add it where the text belongs.")
    return Rubric(low=scale["min"], high=scale["max"], **body)


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
