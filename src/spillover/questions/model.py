"""Question sets as data: what is asked, in which formats, with which ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from spillover.errors import SpilloverError
from spillover.questions.formats import Asked, apply_format

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "licence", "questions"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "version": {"type": "string"},
        "title": {"type": "string"},
        "source": {"type": "string"},
        "licence": {"type": "string"},
        "lab": {"type": "boolean"},
        "questions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "category", "paraphrases"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[A-Za-z0-9_.-]+$"},
                    "category": {"type": "string"},
                    "paraphrases": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
                    "system": {"type": "string"},
                    "template": {"type": "string"},
                    "fields": {"type": "object"},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Variant:
    """Published wording of a question in one format, where it differs from the bundled format."""

    paraphrases: tuple[str, ...]
    system: str | None = None


@dataclass(frozen=True)
class Question:
    """The unit of every interval: one question, asked in one or more wordings.

    Attributes:
        id: Stable name within its set.
        category: Group for per-category tables; the family, for lab questions.
        paraphrases: Wordings of the same question.
        system: System message that belongs to the question.
        template: Its own template for the `template` format.
        variants: Format to published wording.
        fields: What else its probe needs to know: what is true, what a test expects, which split it is in.
    """

    id: str
    category: str
    paraphrases: tuple[str, ...]
    system: str | None = None
    template: str | None = None
    variants: dict[str, Variant] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    def ask(self, fmt: str) -> Iterator[tuple[int, Asked]]:
        """(paraphrase index, messages) for every wording in format `fmt`."""
        variant = self.variants.get(fmt.removesuffix("_constrained"))
        if variant is not None:
            for index, text in enumerate(variant.paraphrases):
                yield index, Asked(variant.system, text)
            return
        for index, text in enumerate(self.paraphrases):
            yield index, apply_format(text, fmt, system=self.system, template=self.template)


@dataclass(frozen=True)
class QuestionSet:
    """A named list of questions with its provenance; `lab` sets have exact ground truth."""

    id: str
    version: str
    title: str
    licence: str
    questions: tuple[Question, ...]
    source: str = ""
    lab: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that is asked."""
        asked = [{k: v for k, v in asdict(q).items() if v or k != "fields"} for q in self.questions]
        body = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    def select(self, categories: list[str] | None = None, limit: int | None = None) -> QuestionSet:
        """The same set with only some categories, or only the first `limit` questions.

        Raises:
            SpilloverError: if a category does not exist.
        """
        refuse_unknown(categories, (q.category for q in self.questions), f"question set '{self.id}'")
        kept = tuple(q for q in self.questions if not categories or q.category in categories)[:limit]
        return QuestionSet(self.id, self.version, self.title, self.licence, kept, self.source, self.lab)


def refuse_unknown(categories: Iterable[str] | None, known: Iterable[str], where: str) -> None:
    """Refuse a category that is not in a set.

    Raises:
        SpilloverError: with those that are.
    """
    names = list(dict.fromkeys(known))
    for name in categories or ():
        if name not in names:
            raise SpilloverError(f"Unknown category '{name}' in {where}; choose from {', '.join(names)}.")


def parse_question_set(raw: dict[str, Any], where: str) -> QuestionSet:
    """Build a set from parsed YAML that already passed `SCHEMA`.

    Raises:
        SpilloverError: if two questions share an id.
    """
    questions = tuple(Question(**{**q, "paraphrases": tuple(q["paraphrases"])}) for q in raw["questions"])
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise SpilloverError(f"{where}: two questions are called '{question.id}'; ids must be unique.")
        seen.add(question.id)
    return QuestionSet(**{**raw, "questions": questions})
