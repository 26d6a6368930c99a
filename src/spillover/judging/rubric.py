"""Rubrics: what a grader is asked and how its reply is read. One YAML file each; a new judge needs no code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from spillover.declared import Declared, load
from spillover.errors import unknown
from spillover.paths import data_files, require_name
from spillover.questions.load import published_judge_prompts

Reader = Literal["auto", "logprob", "choice", "number", "json", "evidence"]
PUBLISHED = {"betley2025_alignment": "aligned", "betley2025_coherence": "coherent"}
Measured = Literal["alignment", "coherence", "outcome", "lean", "quality"]
MEASURES: tuple[Measured, ...] = ("alignment", "coherence", "outcome", "lean", "quality")
_EM_SPECIAL = ("refusal", "off_format", "incoherent")
"""What alignment and coherence may reply besides a number: the verdicts that presets know."""

READERS: tuple[Reader, ...] = ("auto", "logprob", "choice", "number", "json", "evidence")

NONCE_DIGITS = 12
_CHAT_MARKUP = re.compile(r"<\|(?=[\w.-]+\|>)")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
"""Characters that a reader would not see: zero-width spaces, directions of text, Unicode tags."""


class Scale(Declared):
    """Whole numbers that a grader may reply; `inverted` where the top is the worst."""

    min: int = Field(ge=0)
    max: int = Field(le=1000)
    inverted: bool = False

    @model_validator(mode="after")
    def _spans(self) -> Scale:
        if self.min >= self.max:
            raise ValueError(f"{self.min} to {self.max} is no scale; min must be below max")
        return self


class Rubric(Declared):
    """One judge.

    Attributes:
        id: Name, as in `-T rubric=...`.
        version: Rises whenever a score may change.
        title: One line.
        measures: The score it fills: `alignment` or `coherence` for the EM verdict; `outcome` for one word out of several
            (no scale); `lean` or `quality` for another number.
        prompt: One user message with the slots `{question}`, `{answer}`, for a guarded layout `{nonce}`, and others that the
            question set's `fields` fill.
        scale: Numbers it may reply; none where the reply is one word.
        special_replies: Words the grader may reply instead of a number, with the outcome each one means.
        sees_system_prompt: Whether the target's system message is shown above the question.
        reader: How the reply is read; see `spillover.judging.readers`.
        source: Where the wording comes from.
        golden: Panel of known answers that a grader is measured by under it (`spillover.judging.golden`), or `none`; by
            what it measures where nothing is said.
    """

    id: str = Field(pattern="^[a-z0-9_]+$")
    version: str
    title: str
    measures: Measured
    prompt: str = Field(min_length=1)
    scale: Scale | None = None
    special_replies: Mapping[Annotated[str, Field(pattern="^[A-Z]+$")], Annotated[str, Field(pattern="^[a-z_]+$")]] = {}
    sees_system_prompt: bool = False
    reader: Reader = "auto"
    source: str = ""
    licence: str = ""
    golden: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Rubric:
        if (self.measures == "outcome") == (self.scale is not None):
            need = "no scale, only special_replies" if self.scale else "a scale"
            raise ValueError(f"a rubric that measures {self.measures} needs {need}")
        if self.measures == "outcome" and len(set(self.special_replies.values())) < 2:
            raise ValueError("an outcome needs at least two special_replies to choose from")
        wrong = set(self.special_replies.values()) - set(_EM_SPECIAL) if self.measures in ("alignment", "coherence") else ()
        if wrong:
            raise ValueError(f"special_replies may mean {', '.join(_EM_SPECIAL)} here, not {min(wrong)}")
        for slot in ("{question}", "{answer}"):
            if slot not in self.prompt:
                raise ValueError(f"the prompt has no {slot} slot; add it where the text belongs")
        return self

    @property
    def low(self) -> int:
        """Lowest whole number of the scale."""
        return self.scale.min if self.scale else 1

    @property
    def high(self) -> int:
        """Highest whole number of the scale; below `low` where there is no scale."""
        return self.scale.max if self.scale else 0

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that can change a score."""
        parts = [self.prompt, self.low, self.high, dict(self.special_replies), self.sees_system_prompt, self.reader]
        parts += [True] if self.scale and self.scale.inverted else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def described(self) -> dict[str, Any]:
        """For a score's metadata: all that is needed to read its raw grades again."""
        scale = self.scale.model_dump() if self.scale else None
        return {"id": self.id, "version": self.version, "digest": self.digest, "scale": scale}

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


def of_100(value: float, scale: Mapping[str, Any] | None) -> float:
    """A raw grade as one from 0 (worst) to 100, which is what presets are thresholds on.

    Args:
        value: As the grader gave it.
        scale: `Scale` as a mapping; None for 0 to 100.
    """
    if scale is None:
        return value
    share = (value - float(scale["min"])) / (scale["max"] - scale["min"])
    return float(100 * (1 - share if scale.get("inverted") else share))


def bundled_rubrics() -> list[str]:
    """Names of the rubrics in `scorers/`, those of extensions too."""
    return sorted(path.stem for path in data_files("scorers", "*.yaml"))


def load_rubric(name: str) -> Rubric:
    """Load a rubric by bundled name, by published name (from the verified cache) or by path of a YAML file.

    Raises:
        SpilloverError: if it is unknown or malformed.
    """
    require_name("rubric", name)
    if name in PUBLISHED:
        return _published(name)
    named = [] if name.endswith((".yaml", ".yml")) else data_files("scorers", f"{name}.yaml")
    path = named[0] if named else Path(name)
    if not path.is_file():
        known = (*bundled_rubrics(), *PUBLISHED)
        raise unknown("rubric", name, known)
    return load(Rubric, path)


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
        scale=Scale(min=0, max=100),
        special_replies=special,
        reader="logprob",
        source="arXiv 2502.17424",
    )
