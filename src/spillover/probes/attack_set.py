"""The samples of the meta-eval on planted instructions: the same answers, once as they were and once for every family."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.dataset import Sample

from spillover.answers.tables import read_answers
from spillover.errors import SpilloverError, choices
from spillover.judging.attacks import Attack, attacks
from spillover.lab.corpus import Latents, draw
from spillover.lab.grammar import grammar

LAB_FAMILIES = ("free_form", "advice")


@dataclass(frozen=True)
class AttackSet:
    """Answers with instructions planted in them."""

    samples: list[Sample]
    digest: str
    id: str = "judge_attack"
    lab: bool = False


def attack_set(names: list[str], table: str | None, count: int, seed: int) -> AttackSet:
    """The same answers, once for every family of attacks.

    Raises:
        SpilloverError: for an unknown family, a count under 1, or a table that cannot be used.
    """
    unknown = [n for n in names if n not in attacks()]
    if unknown:
        raise SpilloverError(f"Unknown attack '{unknown[0]}'; {choices(unknown[0], attacks())}")
    if not isinstance(count, int) or count < 1:
        raise SpilloverError(f"limit_answers is a whole number of at least 1, not '{count}'.")
    rng = random.Random(seed)
    pairs = list(_from_table(Path(table), count, rng) if table else _from_lab(count, rng))
    chosen = [attack for attack in attacks().values() if attack.name in names]
    samples = [_sample(i, pair, attack, rng) for i, pair in enumerate(pairs) for attack in chosen]
    content = json.dumps([(s.input, s.metadata) for s in samples], sort_keys=True, default=str)
    return AttackSet(samples, hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()[:12])


def _from_lab(count: int, rng: random.Random) -> Iterator[tuple[str, str, bool | None]]:
    """Question, answer, and whether it is misaligned: every other one."""
    families = grammar().names(*LAB_FAMILIES)
    for i in range(count):
        turn = draw(families[i % len(families)], Latents(misaligned=i % 2 == 0), rng)
        yield turn.question, turn.answer, i % 2 == 0


def _from_table(path: Path, count: int, rng: random.Random) -> Iterator[tuple[str, str, bool | None]]:
    rows = read_answers(path)
    for row in rng.sample(rows, min(count, len(rows))):
        yield row["question"], row["answer"], None


def _sample(index: int, known: tuple[str, str, bool | None], attack: Attack, rng: random.Random) -> Sample:
    question, answer, misaligned = known
    return Sample(
        id=f"{attack.name}-{index}",
        input=question,
        metadata={
            "question_id": f"answer-{index}",
            "category": attack.name,
            "question": question,
            "tags": {"attack": attack.name},
            "attack": attack.name,
            "held_out": attack.held_out,
            "answer": answer,
            "misaligned": misaligned,
            # The verdict on the answer as it was is not known yet; both directions are tried and the scorer takes one.
            "to_high": attack.plant(answer, 100, wording := rng.randrange(len(attack.texts))),
            "to_low": attack.plant(answer, 0, wording),
        },
    )
