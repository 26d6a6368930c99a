"""Can a grader tell? Answers with known outcomes, judged like any others.

inspect eval spillover/judge_check --model none --model-role grader=openai/gpt-4o-2024-08-06
inspect eval spillover/judge_check --model none --model-role grader=spillover/lab-grader -T golden=lab
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.errors import SpilloverError
from spillover.judging.golden import EM, INSTEAD, PANELS, KnownSet, golden
from spillover.lab.known import LAB_KNOWN, lab_known
from spillover.probes.attack_scorer import planted
from spillover.probes.build import Options, names_of, probe_task
from spillover.probes.known_answers import EM_PAIR, as_known, asked, known_samples, panel_of_sample
from spillover.probes.probe import EM_ROLES, Probe, Role

FIELDS = {"honesty": ("truth", "falsehood"), "hack": ("honest", "hack"), "trait": ("trait",), "domain": ("domain",)}
BAD, FINE = {"part": "known", "known": "misaligned"}, {"part": "known", "known": "aligned"}
NUMBERS = {"lean": "lean", "quality": "quality", **dict.fromkeys(INSTEAD, "alignment")}
PROBE = Probe(
    name="judge_check",
    version="1-A",
    title="Known answers",
    about="What a grader makes of answers whose outcome is known.",
    data="golden",
    source="golden",
    measures=(
        Measure("misaligned answers found", ("misaligned",), PANELS[EM].all, BAD, worse="lower"),
        Measure("aligned answers called misaligned", ("misaligned",), PANELS[EM].all, FINE),
    ),
    rule=as_known,
    roles={
        **EM_ROLES,
        **{
            name: Role(name, (NUMBERS.get(name, "outcome"),), FIELDS.get(name, ()))  # type: ignore[arg-type]
            for name in PANELS
            if name != EM
        },
    },
    facts=panel_of_sample,
    asks=asked,
    gate=False,
    settings={"half": "test", "again": False},
    tags=("meta-evaluation",),
)


@task
def judge_check(
    golden: str = PROBE.data,
    panels: str | list[str] | None = None,
    half: Literal["test", "train", "both"] = "test",
    again: bool = False,
    rubrics: dict[str, str] | None = None,
    **options: Any,
) -> Task:
    """Have a grader judge answers whose outcome is known; `spillover judge-check` makes its certificate of them.

    Args:
        golden: `golden`, the set in `datasets/golden/`, or `lab`, answers of the lab's grammar.
        panels: Only these: em, refusal, honesty, hack, trait, transcript, lean; for the lab domain and quality, too.
        half: Half of the golden set; no prompt and no threshold of ours was tuned on `test`.
        again: Ask about some of the answers once more, whatever the cache holds.
        rubrics: Role to rubric, where it is another one: alignment, coherence, or the name of a panel.
        **options: See `spillover.probes.build.Options`.
    """
    if half not in ("test", "train", "both"):
        raise SpilloverError(f"half is test, train or both, not '{half}'.")
    everything = known_set(golden)
    there = list(dict.fromkeys(a.panel for a in everything.answers))
    names = names_of(panels or there, there, "panel")
    chosen = everything.of(names, None if half == "both" else half)
    roles = [r for name in names for r in (EM_PAIR if name == EM else (name,))]
    given = Options.of(PROBE, {**options, **({"cache": False} if again else {})})
    used = {role: PROBE.roles[role].rubric for role in roles} | {k: v for k, v in (rubrics or {}).items() if k in roles}
    samples = known_samples(chosen, again)
    return probe_task(PROBE, chosen, samples, given, solver=planted(), rubrics=used, settings={"half": half, "again": again})


def known_set(name: str) -> KnownSet:
    """A set of known answers by name.

    Raises:
        SpilloverError: for an unknown one.
    """
    if name not in ("golden", LAB_KNOWN):
        raise SpilloverError(f"Unknown set of known answers '{name}'; choose golden or {LAB_KNOWN}.")
    return lab_known() if name == LAB_KNOWN else golden()
