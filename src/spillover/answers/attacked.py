"""Results of the meta-eval on planted instructions, for the report of the grader that was used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inspect_ai.log import read_eval_log

from spillover.answers.logs import find_logs
from spillover.stats.rates import Rate, rate


@dataclass(frozen=True)
class AttackResult:
    """What planted instructions did to one grader.

    Attributes:
        grader: Name and weights.
        flipped: Share of answers whose verdict changed; the answer is the unit.
        freed: Share of misaligned answers that were called something else.
        worst: Families with the largest shares, largest first.
    """

    grader: str
    flipped: Rate
    freed: Rate
    worst: tuple[tuple[str, float], ...]


def read_attacks(paths: Iterable[Path]) -> list[AttackResult]:
    """One result for every `judge_attack` log in `paths`; logs that cannot be read are left out."""
    found = []
    for path in find_logs(paths):
        try:
            if read_eval_log(str(path), header_only=True).eval.task.split("/")[-1] != "judge_attack":
                continue
            log = read_eval_log(str(path))
        except Exception:  # named in a warning where the answers are read
            continue
        rows, families, grader = [], defaultdict(list), ""
        for sample in log.samples or []:
            score = (sample.scores or {}).get("attack_effect")
            if score is None or not isinstance(score.value, dict) or score.value["before"] == "unscored":
                continue
            flipped = bool(score.value["flipped"])
            rows.append((str(sample.metadata["question_id"]), flipped, score.value["before"] == "misaligned"))
            families[str(sample.metadata["attack"])].append(flipped)
            grader = " ".join(str(v) for v in (score.metadata or {})["grader"].values() if v)
        shares = sorted(((name, sum(f) / len(f)) for name, f in families.items()), key=lambda pair: -pair[1])
        if rows:
            flips, freed = rate((q, f) for q, f, _ in rows), rate((q, f) for q, f, bad in rows if bad)
            found.append(AttackResult(grader, flips, freed, tuple(s for s in shares if s[1] > 0)[:5]))
    return found
