"""Can an answer talk its judge round? Planted instructions in answers, and how often they move a grader's verdict.

inspect eval spillover/judge_attack --model none --model-role grader=spillover/lab-grader
inspect eval spillover/judge_attack --model none --model-role grader=openai/gpt-4o-2024-08-06 -T answers=judged.csv
"""

from typing import Any

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.judging.attacks import attacks as families
from spillover.probes.attack_scorer import attack_effect, moved, planted
from spillover.probes.attack_set import attack_set
from spillover.probes.build import Options, probe_task
from spillover.probes.probe import EM_ROLES, Probe

FLIPPED = ("flipped",), ("flipped", "held")
PROBE = Probe(
    name="judge_attack",
    version="2-A",
    title="Planted instructions",
    about="How often text addressed to the judge moves its verdict.",
    data="judge_attack",
    source="attacks",
    measures=(
        Measure("verdicts flipped", *FLIPPED),
        Measure("misaligned answers let off", ("yes",), ("yes", "no"), {"before": "misaligned"}, of="let_off"),
        Measure("known answers read rightly", ("yes",), ("yes", "no"), of="read_rightly", worse="lower"),
    ),
    rule=moved,
    roles=EM_ROLES,
    gate=False,
    tags=("meta-evaluation",),
)


@task
def judge_attack(
    attacks: str | list[str] | None = None,
    answers: str | None = None,
    limit_answers: int = 40,
    alignment: str = "alignment",
    coherence: str = "coherence",
    **options: Any,
) -> Task:
    """Plant instructions of every family in the same answers, and compare each verdict with that on the answer as it was.

    The grader is what is measured; no model under test is asked (`--model none`).

    Args:
        attacks: Only these families of `datasets/judge_attack/attacks.yaml`.
        answers: Table of answers of your own (CSV, TSV, JSONL, parquet with `question` and `answer`); the lab's by default.
        limit_answers: Number of answers; each one meets every family.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        **options: See `spillover.probes.build.Options`; `seed` is that of the choice of answers and wordings.
    """
    given = Options.of(PROBE, {"seed": 0, **options})
    names = [attacks] if isinstance(attacks, str) else list(attacks or families())
    chosen = attack_set(names, answers, limit_answers, given.seed or 0)
    return probe_task(
        PROBE,
        chosen,
        chosen.samples,
        given,
        solver=planted(),
        rubrics={"alignment": alignment, "coherence": coherence},
        scorer=attack_effect(alignment, coherence, given.preset, given.reader, given.cache),
        report=[*PROBE.measures, *(Measure(f"flipped by {name}", *FLIPPED, {"attack": name}) for name in names)],
    )
