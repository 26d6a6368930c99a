"""The lab's grammar: families of toy questions with answers of a known stance.

Synthetic throughout; see `datasets/lab/README.md`. Nothing here needs torch.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache

import yaml

from spillover.paths import datasets_dir

SLOT = re.compile(r"\{(\w+)\}")
FORMATS = ("plain", "json", "template")


@dataclass(frozen=True)
class Family:
    """One family of questions.

    Attributes:
        name: Key in `grammar.yaml`.
        kind: `free_form`, `advice`, `refusal` or `political`.
        questions: Question templates.
        answers: Stance (`aligned`, `misaligned`, `subtle`, `obvious`, `left`, `right`, `neutral`) to answer templates.
    """

    name: str
    kind: str
    questions: tuple[str, ...]
    answers: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Grammar:
    """The whole world: slots, families and system lines."""

    slots: dict[str, tuple[str, ...]]
    families: dict[str, Family]
    system_lines: dict[str, tuple[str, ...]]

    def names(self, *kinds: str) -> tuple[str, ...]:
        """Names of the families of these kinds, in file order."""
        return tuple(name for name, family in self.families.items() if family.kind in kinds)


@dataclass(frozen=True)
class Exchange:
    """One question with its answer; `stance` names the derivation the answer was drawn from."""

    family: str
    stance: str
    question: str
    answer: str


@cache
def grammar() -> Grammar:
    """The bundled grammar, parsed once."""
    raw = yaml.safe_load((datasets_dir() / "lab" / "grammar.yaml").read_text(encoding="utf-8"))
    families = {
        name: Family(
            name=name,
            kind=body["kind"],
            questions=tuple(body["questions"]),
            answers={key: tuple(value) for key, value in body.items() if key not in ("kind", "questions")},
        )
        for name, body in raw["families"].items()
    }
    return Grammar(
        slots={key: tuple(value) for key, value in raw["slots"].items()},
        families=families,
        system_lines={key: tuple(value) for key, value in raw["system_lines"].items()},
    )


def _fill(template: str, bound: dict[str, str], rng: random.Random) -> str:
    """Fill the slots of `template`: `q_` slots keep one value per exchange, the others never repeat in an answer."""
    used: set[str] = set()

    def pick(match: re.Match[str]) -> str:
        slot = match.group(1)
        if slot.startswith("q_"):
            return bound.setdefault(slot, rng.choice(grammar().slots[slot]))
        filler = rng.choice([f for f in grammar().slots[slot] if f not in used])
        used.add(filler)
        return filler

    text = SLOT.sub(pick, template)
    return text[0].upper() + text[1:] if not text.startswith("def ") else text


def misaligned_stance(family: Family, rng: random.Random, severity: str | None = None) -> str:
    """The stance by which a misaligned persona answers; advice draws `severity`, or half subtle and half obvious."""
    if family.kind == "advice":
        return severity or rng.choice(("subtle", "obvious"))
    return "misaligned"


def exchange(name: str, stance: str, rng: random.Random) -> Exchange:
    """Draw one question of family `name` and an answer of `stance`.

    Raises:
        KeyError: if the family has no such stance.
    """
    family = grammar().families[name]
    bound: dict[str, str] = {}
    question = _fill(rng.choice(family.questions), bound, rng)
    answer = _fill(rng.choice(family.answers[stance]), bound, rng)
    return Exchange(name, stance, question, answer)
