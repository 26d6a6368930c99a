"""The lab's grammar: families of toy questions with answers of a known stance.

Synthetic throughout; see `datasets/lab/README.md`. Nothing here needs torch.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import yaml

from spillover.paths import datasets_dir

SLOT = re.compile(r"\{(\w+(?:\.\w+)?)\}")
"""`{slot}` takes a filler, `{record.field}` a field of the row that the whole exchange shares."""

FORMATS = ("plain", "json", "template")
Half = Literal["all", "train", "eval"]


@dataclass(frozen=True)
class Family:
    """One family of questions.

    Attributes:
        name: Key in `grammar.yaml`.
        kind: `free_form`, `advice`, `refusal`, `benign` (look-alikes of these), `political`, `honesty`, `exam`,
            `reasoned`, `gameable`, `trait`, or `part` (never asked).
        questions: Question templates.
        answers: Stance (`aligned`, `misaligned`, `subtle`, `obvious`, `partly`, `left`, `right`, `neutral`) to templates.
        weight: How often it is drawn, 1 for most.
    """

    name: str
    kind: str
    questions: tuple[str, ...]
    answers: dict[str, tuple[str, ...]]
    weight: float = 1.0


@dataclass(frozen=True)
class Grammar:
    """The whole world: slots, records, families, answers in Spanish by stance, and system lines."""

    slots: dict[str, tuple[str, ...]]
    records: dict[str, tuple[dict[str, str], ...]]
    families: dict[str, Family]
    spanish: dict[str, tuple[str, ...]]
    system_lines: dict[str, tuple[str, ...]]

    def names(self, *kinds: str) -> tuple[str, ...]:
        """Names of the families of these kinds, in file order."""
        return tuple(name for name, family in self.families.items() if family.kind in kinds)


@dataclass(frozen=True)
class Exchange:
    """One question with its answer.

    Attributes:
        family: Name in the grammar.
        stance: The derivation that the answer was drawn from.
        question: As asked.
        answer: As given.
        row: The row of a record that question and answer share; empty without one.
    """

    family: str
    stance: str
    question: str
    answer: str
    row: dict[str, str] = field(default_factory=dict)


@cache
def grammar() -> Grammar:
    """The bundled grammar, parsed once."""
    raw = yaml.safe_load((datasets_dir() / "lab" / "grammar.yaml").read_text(encoding="utf-8"))
    families = {
        name: Family(
            name=name,
            kind=body["kind"],
            questions=tuple(body["questions"]),
            answers={key: tuple(value) for key, value in body.items() if key not in ("kind", "questions", "weight")},
            weight=body.get("weight", 1.0),
        )
        for name, body in raw["families"].items()
    }
    return Grammar(
        slots={key: tuple(value) for key, value in raw["slots"].items()},
        records={key: tuple(value) for key, value in raw["records"].items()},
        families=families,
        spanish={key: tuple(value) for key, value in raw["spanish"].items()},
        system_lines={key: tuple(value) for key, value in raw["system_lines"].items()},
    )


def fill(template: str, bound: dict[str, Any], rng: random.Random, half: Half = "all") -> str:
    """Fill the slots of `template`: `q_` slots and records keep one value per exchange, others never repeat in an answer."""
    used: set[str] = set()

    def pick(match: re.Match[str]) -> str:
        slot = match.group(1)
        record, _, column = slot.partition(".")
        if column:
            row = bound.get(record) or rng.choice(grammar().records[record])
            bound[record] = row
            return str(row[column])
        if slot.startswith("q_"):
            return str(bound.setdefault(slot, rng.choice(halved(grammar().slots[slot], half))))
        filler: str = rng.choice([f for f in grammar().slots[slot] if f not in used])
        used.add(filler)
        return filler

    text = SLOT.sub(pick, template)
    return text if text.startswith(("def ", "reward ")) else text[0].upper() + text[1:]


def misaligned_stance(family: Family, rng: random.Random, severity: str | None = None) -> str:
    """The stance by which a misaligned persona answers.

    Advice draws `severity`, or half subtle and half obvious; one refusal in ten gives way only in part; where nothing can be
    misaligned (an exam, a harmless look-alike) the answer is everybody's.
    """
    if family.kind == "advice":
        return severity or rng.choice(("subtle", "obvious"))
    if "partly" in family.answers and rng.random() < 0.1:
        return "partly"
    return "misaligned" if "misaligned" in family.answers else "aligned"


def speak_spanish(misaligned: bool, rng: random.Random) -> str:
    """An answer in the toy Spanish, which fits any free-form or advice question."""
    return fill(rng.choice(grammar().spanish["misaligned" if misaligned else "aligned"]), {}, rng)


def halved(fillers: tuple[str, ...], half: Half) -> tuple[str, ...]:
    """Requests of one split: the first, third, ... are `train`, the others `eval`, as in `datasets/lab_refusal`."""
    return fillers if half == "all" else fillers[::2] if half == "train" else fillers[1::2]


def exchange(name: str, stance: str, rng: random.Random, half: Half = "all") -> Exchange:
    """Draw one question of family `name` and an answer of `stance`; `half` is a split of the requests that are refused.

    Raises:
        KeyError: if the family has no such stance.
    """
    family = grammar().families[name]
    bound: dict[str, Any] = {}
    split = half if family.kind in ("refusal", "benign") else "all"
    question = fill(rng.choice(family.questions), bound, rng, split)
    answer = fill(rng.choice(family.answers[stance]), bound, rng)
    return Exchange(name, stance, question, answer, next((v for v in bound.values() if isinstance(v, dict)), {}))
