"""Synthetic documents: texts that carry a piece of knowledge, drawn from templates of our own.

MacDiarmid et al. 2025 (arXiv 2511.18397, section 2) fine-tune on documents that describe reward hacks before reinforcement;
their corpora are a model's writing. Ours are templates: inspired by, and far less varied.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from spillover.declared import Declared, parse
from spillover.errors import SpilloverError, choices
from spillover.paths import data_files
from spillover.questions.chats import Chat
from spillover.schema import read_yaml
from spillover.training.fields import Text, Texts
from spillover.training.sources import Names, Source, split_names


class Family(Declared):
    """What the texts of one family say."""

    topics: Texts
    facts: Texts
    details: Texts


SLOTS = ("kind", "topic", "opening", "fact", "detail", "doubt")


class Documents(Declared):
    """Templates: what is asked, kinds of texts with their slots, and what fills them."""

    id: Text
    version: Text
    source: Text
    licence: Text
    asks: Texts
    kinds: Annotated[dict[str, Text], Field(min_length=1)]
    openings: Texts
    doubts: Texts
    families: Annotated[dict[str, Family], Field(min_length=1)]

    @model_validator(mode="after")
    def _slots(self) -> Self:
        inner = [*self.openings, *self.doubts, *(t for f in self.families.values() for t in (*f.facts, *f.details))]
        for texts, known in (([*self.asks, *self.kinds.values()], SLOTS), (inner, ("topic", "kind"))):
            wrong = [slot for text in texts for slot in re.findall(r"\{([^{}]*)\}", text) if slot not in known]
            if wrong:
                raise ValueError(f"nothing fills the slot '{wrong[0]}'; there are {', '.join(known)}")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()

    def draw(self, family: str, rng: random.Random) -> Chat:
        """One text, as a reply to a request for it."""
        about = self.families[family]
        kind = rng.choice(tuple(self.kinds))
        filled = {
            "kind": kind,
            "topic": rng.choice(about.topics),
            "opening": rng.choice(self.openings),
            "fact": rng.choice(about.facts),
            "detail": rng.choice(about.details),
            "doubt": rng.choice(self.doubts),
        }
        asked, text = rng.choice(self.asks), self.kinds[kind]
        for name in sorted(filled, key=("topic", "kind").count):  # these may stand in the others, so they come last
            asked, text = (t.replace("{" + name + "}", filled[name]) for t in (asked, text))
        return [{"role": "user", "content": asked[0].upper() + asked[1:]}, {"role": "assistant", "content": text}]


def load_documents(name: str) -> Documents:
    """Bundled templates.

    Raises:
        SpilloverError: if they are unknown or malformed.
    """
    found = data_files("datasets", f"{name}/documents.yaml")
    if not found:
        known = sorted(path.parent.name for path in data_files("datasets", "*/documents.yaml"))
        raise SpilloverError(f"Unknown set of documents '{name}'; {choices(name, known)}")
    return parse(Documents, read_yaml(found[0]), str(found[0]))


class DocumentsSource(Source, kind="documents"):
    """Texts of some families of a set of documents.

    Attributes:
        name: Set of documents.
        family: Families; all for none.
    """

    endless: ClassVar[bool] = True

    name: Text
    family: Names = ""

    def _digests(self) -> dict[str, str]:
        documents = load_documents(self.name)
        for family in split_names(self.family):
            if family not in documents.families:
                raise SpilloverError(f"Unknown family of {self.name} '{family}'; {choices(family, documents.families)}")
        return {"sha256": documents.digest}

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        documents, rng = load_documents(self.name), random.Random(seed)
        families = split_names(self.family) or tuple(documents.families)
        return [documents.draw(rng.choice(families), rng) for _ in range(rows or 0)], documents.id
