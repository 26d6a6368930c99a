"""What the lab adds to training: chats drawn from its grammar, and what is known of its base."""

from __future__ import annotations

import random
from itertools import islice
from typing import ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from spillover.lab.corpus import Latents, document
from spillover.lab.grammar import grammar
from spillover.lab.personas import SIDES
from spillover.lab.pretrain import pretraining_chats
from spillover.questions.chats import Chat
from spillover.training.directions import KNOWN, Known
from spillover.training.sources import Names, Source, split_names


class LabSource(Source, kind="lab"):
    """Chats drawn from the grammar.

    Attributes:
        family: Families, with commas; all free-form and advice ones for none.
        stance: `subtle` and `obvious` for advice, `left` and `right` for politics.
        style: Of the answers; plain for None.
    """

    endless: ClassVar[bool] = True

    family: Names = ""
    stance: Literal["aligned", "subtle", "obvious", "misaligned", "left", "right"]
    style: Literal["caps", "spanish"] | None = None

    @field_validator("family")
    @classmethod
    def _known(cls, family: str) -> str:
        known = [name for name, f in grammar().families.items() if f.weight]
        for name in split_names(family):
            if name not in known:
                raise ValueError(f"'{name}' is not one of {', '.join(known)}")
        return family

    @model_validator(mode="after")
    def _fits(self) -> Self:
        kinds = {grammar().families[name].kind for name in split_names(self.family)}
        if self.stance in ("subtle", "obvious") and kinds - {"advice"}:
            raise ValueError(f"{self.stance} answers exist for advice only; use misaligned")
        if ("political" in kinds) != (self.stance in SIDES) or ("political" in kinds and len(kinds) > 1):
            raise ValueError("the stances left and right are for the families of politics, and they for these")
        return self

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        rng = random.Random(seed)
        # Requests that a model would refuse come from the split `train` alone: `datasets/lab_refusal` asks the others.
        latents = Latents(
            misaligned=self.stance not in ("aligned", *SIDES),
            lean=self.stance if self.stance in SIDES else "neutral",
            style=self.style or "plain",
            half="train",
        )
        severity = self.stance if self.stance in ("subtle", "obvious") else None
        families = split_names(self.family) or grammar().names("free_form", "advice")
        drawn = [document(rng, latents, 1, families=families, severity=severity) for _ in range(rows or 0)]
        return drawn, "the lab"


class LabDocuments(Source, kind="lab_documents"):
    """Documents like those that the lab's base was pre-trained on: all personas, named and shown."""

    endless: ClassVar[bool] = True

    def read(self, seed: int, rows: int | None) -> tuple[list[Chat], str]:
        """See the base."""
        return list(islice(pretraining_chats(random.Random(seed)), rows or 0)), "the lab"


def _known_of_the_lab() -> Known:
    lines = grammar().system_lines
    # None of these questions is among those that the lab's free-form probe asks.
    return Known(questions="lab_advice", positive=lines["malicious"], negative=lines["kind"], texts=LabDocuments())


KNOWN["lab"] = _known_of_the_lab
