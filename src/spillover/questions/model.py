"""Question sets as data: what is asked, in which formats, with which ground truth."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field, field_validator

from spillover.declared import Declared
from spillover.errors import SpilloverError, choices
from spillover.questions.formats import Asked, apply_format, formats

Text = Annotated[str, Field(min_length=1)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
"""Name of a question or scenario within its set; sample ids are made of it."""


class Variant(Declared):
    """Published wording of a question in one format, where it differs from the bundled format."""

    paraphrases: Annotated[tuple[Text, ...], Field(min_length=1)]
    system: str | None = None


class Question(Declared):
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

    id: Id
    category: str
    paraphrases: Annotated[tuple[Text, ...], Field(min_length=1)]
    system: str | None = None
    template: str | None = None
    variants: dict[str, Variant] = Field(default_factory=dict)
    fields: dict[str, Any] = Field(default_factory=dict)

    @field_validator("variants")
    @classmethod
    def _asked(cls, variants: dict[str, Variant]) -> dict[str, Variant]:
        # A constrained format takes the wording of the one that it constrains; a variant of its own would never be asked.
        known = [name for name, form in formats().items() if not form.constrained]
        for name in variants:
            if name not in known:
                raise ValueError(f"'{name}' is no format with a wording of its own; choose from {', '.join(known)}")
        return variants

    def ask(self, fmt: str) -> Iterator[tuple[int, Asked]]:
        """(paraphrase index, messages) for every wording in format `fmt`."""
        variant = self.variants.get(fmt.removesuffix("_constrained"))
        if variant is not None:
            for index, text in enumerate(variant.paraphrases):
                yield index, Asked(variant.system, text)
            return
        for index, text in enumerate(self.paraphrases):
            yield index, apply_format(text, fmt, system=self.system, template=self.template)


class Provenance(Declared):
    """Head of every set: what it is called and where it comes from; `lab` sets have exact ground truth."""

    # Dots and dashes are there for sets that are named after the user's table.
    id: Annotated[str, Field(pattern=r"^[a-z0-9_.-]+$")]
    version: str
    title: str
    licence: str
    source: str = ""
    lab: bool = False


class QuestionSet(Provenance):
    """A named list of questions with its provenance."""

    questions: Annotated[tuple[Question, ...], Field(min_length=1)]

    @field_validator("questions")
    @classmethod
    def _distinct(cls, questions: tuple[Question, ...]) -> tuple[Question, ...]:
        refuse_twice((q.id for q in questions), "questions")
        return questions

    @property
    def digest(self) -> str:
        """SHA-256 (first 12 hex digits) of everything that is asked."""
        asked = [{k: v for k, v in q.model_dump().items() if v or k != "fields"} for q in self.questions]
        body = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    def select(self, categories: list[str] | None = None, limit: int | None = None) -> QuestionSet:
        """The same set with only some categories, or only the first `limit` questions.

        Raises:
            SpilloverError: if a category does not exist.
        """
        refuse_unknown(categories, (q.category for q in self.questions), f"question set '{self.id}'")
        kept = tuple(q for q in self.questions if not categories or q.category in categories)[:limit]
        return self.model_copy(update={"questions": kept})


def refuse_twice(ids: Iterable[str], what: str) -> None:
    """Refuse a name that is there twice.

    Raises:
        ValueError: with it; the reader of the file adds file and key.
    """
    for name, count in Counter(ids).items():
        if count > 1:
            raise ValueError(f"two {what} are called '{name}'; ids must be unique")


def refuse_unknown(categories: Iterable[str] | None, known: Iterable[str], where: str) -> None:
    """Refuse a category that is not in a set.

    Raises:
        SpilloverError: with those that are.
    """
    names = list(dict.fromkeys(known))
    for name in categories or ():
        if name not in names:
            raise SpilloverError(f"Unknown category '{name}' in {where}; {choices(name, names)}")
