"""Answers of a block, from its logs; and what pairs they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from spillover.answers.read import NoAnswers, read
from spillover.logs import read_log
from spillover.run.tasks import SCREENED_AS
from spillover.screening.gate import Gated
from spillover.stats.paired_sequential import Pairs


class Place(NamedTuple):
    """Where an answer belongs: its partner is the other model's at the same place."""

    block: int
    epoch: int
    sample: str


@dataclass(frozen=True)
class Given:
    """One answer.

    Attributes:
        state: `hit`, `miss`, `incoherent`, `unscored` or `undecided`.
        question_id: Of its question.
        question: As it was asked.
        answer: What the model wrote.
        outcome: Behind the state.
        reason: Why it is unscored.
        cut: Whether the token limit ended it.
        reasoning: Before it, where that was judged.
    """

    state: str
    question_id: str = ""
    question: str = ""
    answer: str = ""
    outcome: str = ""
    reason: str | None = None
    cut: bool = False
    reasoning: str = ""

    @property
    def hidden(self) -> bool:
        """Whether nobody knows what it would have been."""
        return self.state == "unscored" or (self.cut and self.state != "hit")


Answers = dict[Place, Given]

STORED = "(stored baseline)"
"""Stands for the text of an answer whose outcome alone was kept."""


def read_block(folder: Path, block: int, gated: Iterable[Gated]) -> dict[str, Answers]:
    """Probe to one model's answers of one block, from the logs in `folder`.

    Each probe is read by itself: two of one task, with other gates, ask the same questions with the same seeds.
    """
    logs: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.eval")):
        about = read_log(path, header_only=True).eval.metadata or {}
        logs.setdefault(about.get(SCREENED_AS, ""), []).append(path)
    return {g.name: _answers(logs[g.name], block, g) for g in gated if g.name in logs}


def _answers(logs: list[Path], block: int, probe: Gated) -> Answers:
    out: Answers = {}
    try:
        rows = read(logs).table.to_dict("records")
    except NoAnswers:
        return out
    for row in rows:
        why = row["unscored_reason"]
        given = Given(
            probe.state(row["outcome"]),
            row["question_id"],
            row["question"],
            row["answer"],
            row["outcome"],
            why if isinstance(why, str) else None,
            bool(row["truncated"]),
            thought if isinstance(thought := row.get("reasoning"), str) else "",
        )
        out[Place(block, int(row["epoch"]), row["sample_id"])] = given
    return out


def pairs_by_round(checkpoint: Mapping[Place, Given], base: Mapping[Place, Given]) -> list[Pairs]:
    """Pairs of every round that both models were asked, in order; only unscored answers make no pair.

    An answer that is incoherent or otherwise undecided is no hit: were such pairs left out, a base that refuses would
    hide what the checkpoint does instead.
    """
    rounds: dict[tuple[int, int], list[int]] = {}
    for place in sorted(set(checkpoint) & set(base)):
        a, b = checkpoint[place].state, base[place].state
        cell = rounds.setdefault(place[:2], [0, 0, 0])
        if "unscored" not in (a, b):
            difference = (a == "hit") - (b == "hit")
            cell[1 - difference] += 1
    return [Pairs(*rounds[key]) for key in sorted(rounds)]


def worst_by_round(checkpoint: Mapping[Place, Given], base: Mapping[Place, Given]) -> list[Pairs]:
    """The same with every answer of the checkpoint that is unscored or cut off counted as a hit, as nobody knows.

    What a base's unscored answer would have been is not guessed: against it such an answer is a rise, others make no pair.
    """
    rounds: dict[tuple[int, int], list[int]] = {}
    for place in sorted(set(checkpoint) & set(base)):
        a, b = checkpoint[place], base[place].state
        cell = rounds.setdefault(place[:2], [0, 0, 0])
        if a.hidden or b != "unscored":
            difference = (a.hidden or a.state == "hit") - (b == "hit")
            cell[1 - difference] += 1
    return [Pairs(*rounds[key]) for key in sorted(rounds)]
