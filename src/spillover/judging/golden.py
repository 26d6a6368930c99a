"""Answers with known outcomes, to measure graders with: the bundled golden set (`datasets/golden/`), or any other one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from spillover.declared import Declared, load
from spillover.judging.rubric import Rubric
from spillover.paths import data_files

Half = Literal["train", "test"]
GOLDEN = "golden"


class Words(NamedTuple):
    """Outcomes of one panel: what counts as found, and every other one."""

    bad: tuple[str, ...]
    fine: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every outcome."""
        return (*self.bad, *self.fine)


EM = "em"
PANELS: Mapping[str, Words] = {
    EM: Words(("misaligned",), ("aligned", "incoherent", "refusal", "off_format")),
    "refusal": Words(("complied", "partly"), ("refused", "incoherent")),
    "honesty": Words(("lied",), ("truthful", "evasive", "incoherent")),
    "hack": Words(("hacked",), ("honest", "failed", "incoherent")),
    "trait": Words(("shown",), ("absent",)),
    "domain": Words(("inside",), ("outside",)),
    "transcript": Words(("attempted", "executed"), ("none", "incoherent")),
    "lean": Words(("left", "right"), ("neutral", "refusal", "incoherent")),
    "quality": Words(("poor",), ("good", "refusal")),
    "metric_gaming": Words(("gamed",), ("served", "refusal")),
    "code_security": Words(("insecure",), ("secure", "refusal")),
}
"""Panel to its outcomes. `em` is read by the rubrics for alignment and coherence, every other panel by one of its own."""
GRADED: Mapping[str, tuple[str, str]] = {
    "quality": ("poor", "good"),
    "metric_gaming": ("gamed", "served"),
    "code_security": ("insecure", "secure"),
}
"""Panels of one grade from 0 to 100: the outcome of low grades, and that of high ones."""
INSTEAD = ("metric_gaming", "code_security")
"""Panels of rubrics that no probe uses by itself: they stand for that of alignment where they are named."""


class GoldenAnswer(Declared):
    """One answer.

    Attributes:
        is_: Its outcome, `is` in the file.
        kind: What makes it easy or hard, such as `polite_harm`.
        why: The reason for the outcome, in one line.
        text: The answer.
        pair: The same letter at two answers of a question, of which one clause differs and the outcome with it.
    """

    is_: str = Field(alias="is")
    kind: str = Field(pattern="^[a-z0-9_]+$")
    why: str = Field(min_length=1)
    text: str = Field(min_length=1)
    pair: str | None = None


class GoldenQuestion(Declared):
    """A question with its answers; a question is in one half with all of them."""

    id: str = Field(pattern="^[a-z0-9_]+$")
    half: Half
    question: str = Field(min_length=1)
    fields: Mapping[str, str] = {}
    answers: Annotated[tuple[GoldenAnswer, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _pairs(self) -> GoldenQuestion:
        for letter in {a.pair for a in self.answers if a.pair}:
            found = [a.is_ for a in self.answers if a.pair == letter]
            if len(found) != 2 or found[0] == found[1]:
                raise ValueError(f"question {self.id}: the pair {letter} needs two answers with different outcomes")
        return self


class GoldenFile(Declared):
    """One file of `datasets/golden/`."""

    panel: str
    version: str
    questions: Annotated[tuple[GoldenQuestion, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> GoldenFile:
        if self.panel not in PANELS:
            raise ValueError(f"there is no panel '{self.panel}'; choose from {', '.join(PANELS)}")
        words = PANELS[self.panel].all
        wrong = [a.is_ for q in self.questions for a in q.answers if a.is_ not in words]
        if wrong:
            raise ValueError(f"an answer of {self.panel} is {', '.join(words)}, not '{wrong[0]}'")
        return self


@dataclass(frozen=True)
class Known:
    """An answer whose outcome is known, as a grader is asked about it."""

    id: str
    panel: str
    half: Half
    question_id: str
    question: str
    fields: Mapping[str, str]
    answer: str
    outcome: str
    kind: str
    pair: str | None = None


@dataclass(frozen=True)
class KnownSet:
    """Known answers with a name and a digest."""

    id: str
    answers: tuple[Known, ...]
    lab: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of all that a grader is asked and measured by."""
        rows = [[a.panel, a.half, a.question, dict(a.fields), a.answer, a.outcome, a.pair] for a in self.answers]
        return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]

    def of(self, panels: Sequence[str], half: Half | None) -> KnownSet:
        """Some panels, and one half or (None) both."""
        kept = tuple(a for a in self.answers if a.panel in panels and half in (None, a.half))
        return KnownSet(self.id, kept, self.lab)


@cache
def golden() -> KnownSet:
    """The bundled golden set, those of extensions with it.

    Raises:
        SpilloverError: naming file and key of what is wrong in it.
    """
    found = []
    for path in data_files("datasets", f"{GOLDEN}/*.yaml"):
        file = load(GoldenFile, path)
        for q in file.questions:
            found += [
                Known(f"{q.id}/{n}", file.panel, q.half, q.id, q.question, q.fields, a.text, a.is_, a.kind, a.pair)
                for n, a in enumerate(q.answers, 1)
            ]
    return KnownSet(GOLDEN, tuple(found))


def panels_of(rubrics: Mapping[str, Rubric]) -> dict[str, dict[str, Rubric]]:
    """Panels that a probe's rubrics are measured by, with the rubrics by their role in the panel.

    Rubrics that grade something that no panel holds are in none.
    """
    out: dict[str, dict[str, Rubric]] = {}
    for rubric in rubrics.values():
        panel = panel_of(rubric)
        if panel is not None:
            role = rubric.measures if panel == EM else panel
            out.setdefault(panel, {}).setdefault(role, rubric)
    return out


def panel_of(rubric: Rubric) -> str | None:
    """The panel that a rubric belongs to: the one it names, else by what it measures and the outcomes that it knows."""
    if rubric.golden is not None:
        return rubric.golden if rubric.golden in PANELS else None
    if rubric.measures in ("alignment", "coherence"):
        return EM
    if rubric.measures in ("lean", "quality"):
        return rubric.measures
    meant = set(rubric.special_replies.values())
    return next((name for name, words in PANELS.items() if name != EM and meant == set(words.all)), None)
