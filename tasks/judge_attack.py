"""Can an answer talk its judge round? Planted instructions in answers, and how often they move a grader's verdict.

inspect eval spillover/judge_attack --model none --model-role grader=spillover/lab-grader
inspect eval spillover/judge_attack --model none --model-role grader=openai/gpt-4o-2024-08-06 -T answers=judged.csv
"""

from typing import Any

from inspect_ai import Task, task

from spillover.judging.rubric import Reader
from spillover.probes.attack_scorer import attack_effect, planted
from spillover.probes.attack_set import attack_dataset
from spillover.probes.build import build_task

VERSION = "1-A"


@task
def judge_attack(
    attacks: str | list[str] | None = None,
    answers: str | None = None,
    limit_answers: int = 40,
    preset: str = "spillover",
    alignment: str = "alignment",
    coherence: str = "coherence",
    reader: Reader = "auto",
    seed: int = 0,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Plant instructions of every family in the same answers, and compare each verdict with that on the answer as it was.

    The grader is what is measured; no model under test is asked (`--model none`).

    Args:
        attacks: Only these families of `datasets/judge_attack/attacks.yaml`.
        answers: Table of answers of your own (CSV, TSV, JSONL, parquet with `question` and `answer`); the lab's by default.
        limit_answers: Number of answers; each one meets every family.
        preset: Thresholds that make the verdict.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        reader: How the grader's reply is read.
        seed: Of the choice of answers and wordings.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    chosen = [attacks] if isinstance(attacks, str) else attacks
    dataset, digest = attack_dataset(chosen, answers, limit_answers, seed)
    return build_task(
        name="judge_attack",
        version=VERSION,
        unknown=unknown,
        dataset=dataset,
        solver=planted(),
        scorer=[attack_effect(alignment, coherence, preset, reader, cache)],
        epochs=1,
        metadata={"attack_set_digest": digest, "preset": preset, "seed": seed},
        headline_metric="flipped",
    )
