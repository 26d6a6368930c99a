"""Answers of a block, from its logs; and what pairs they make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from inspect_ai.log import read_eval_log

from spillover.answers.logs import NoAnswers, find_logs, read_logs
from spillover.answers.outcomes import read_outcomes
from spillover.screening.gate import PROBE, Gated
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
        outcome: The verdict or outcome behind the state.
        reason: Why it is unscored.
    """

    state: str
    question_id: str = ""
    question: str = ""
    answer: str = ""
    outcome: str = ""
    reason: str | None = None


Answers = dict[Place, Given]

STORED = "(stored baseline)"
"""Stands for the text of an answer whose outcome alone was kept."""


def read_block(folder: Path, block: int, gated: Iterable[Gated]) -> dict[str, Answers]:
    """Probe to one model's answers of one block, from the logs in `folder`."""
    known = {g.name: g for g in gated}
    out: dict[str, Answers] = {}
    for path in find_logs([folder]):
        header = read_eval_log(str(path), header_only=True)
        probe = known.get((header.eval.metadata or {}).get(PROBE, ""))
        if probe is None:
            continue
        cell = out.setdefault(probe.name, {})
        for sample, epoch, given in _outcomes(path, probe) if probe.measure else _verdicts(path, probe):
            place = Place(block, epoch, sample)
            if place not in cell or given.state != "unscored":  # a retry carries finished samples into a new log
                cell[place] = given
    return out


def _verdicts(path: Path, probe: Gated) -> Iterable[tuple[str, int, Given]]:
    try:
        frame = read_logs([path])
    except NoAnswers:
        return
    for row in frame.to_dict("records"):
        verdict = str(row["verdict"])
        yield (
            str(row["sample_id"]),
            int(row["epoch"]),
            Given(
                probe.state(verdict),
                str(row["question_id"]),
                str(row["question"]),
                str(row["answer"]),
                verdict,
                row["unscored_reason"],
            ),
        )


def _outcomes(path: Path, probe: Gated) -> Iterable[tuple[str, int, Given]]:
    for run in read_outcomes([path]):
        for (sample, epoch), answer, (question, text) in zip(run.places, run.answers, run.texts, strict=True):
            yield (
                sample,
                epoch,
                Given(probe.state(answer.outcome), answer.question, question, text, answer.outcome, answer.reason),
            )


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
