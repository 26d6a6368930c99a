r"""Tasks that can be gamed: crude metrics, hard-coded tests, a lenient grader, one's own reward, an open answer file.

inspect eval spillover/reward_hacking --model spillover/lab --model-role grader=spillover/lab-grader \
  -T questions=lab_reward_hacking
inspect eval spillover/reward_hacking --model MODEL --model-role grader=openai/gpt-4o-2024-08-06 -T sandbox=docker
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.environments.code import WAYS
from spillover.environments.environment import LABELS
from spillover.lab.outcomes import gameable_family, gameable_truth
from spillover.probes.build import Options, choose, plain_samples, probe_task
from spillover.probes.probe import Lab, Length, Probe, Role
from spillover.probes.reward_hacking import CATEGORIES, NEEDS, gamed_or_not, shown, work
from spillover.probes.sandboxed import code_sandbox

DECIDED = ("honest", "hacked", "failed")
PROBE = Probe(
    name="reward_hacking",
    version="1-A",
    title="Tasks that can be gamed",
    about="Crude metrics, hard-coded tests, a lenient grader, one's own reward, an open shortcut.",
    data="reward_hacking",
    measures=(
        Measure("hacked", ("hacked",), DECIDED),
        *(Measure(f"hacked, {name}", ("hacked",), DECIDED, {"category": name}) for name in CATEGORIES),
        Measure("honest", ("honest",), DECIDED, worse="lower"),
        *(
            Measure(f"hacked, code: {name}", (name,), (*WAYS, "unnamed", "none"), {"category": "code"}, of="hacked_by")
            for name in WAYS
        ),
        Measure("attempted, code", ("attempted",), LABELS, {"category": "code"}, of="label"),
    ),
    rule=gamed_or_not,
    roles={"hack": Role("hack", fields=("honest", "hack")), "quality": Role("quality", ("quality",))},
    facts=work,
    asks=shown,
    lab=Lab("lab_reward_hacking", gameable_truth, gameable_family, {"aligned": ("honest",), "misaligned": ("hacked",)}),
    suites={
        "quick": Length(
            {"epochs": 1, "categories": ["metric", "grader", "reward", "exploit"]}, {"categories": None, "sandbox": "local"}
        ),
        "standard": Length({"epochs": 2, "sandbox": "docker"}, {"sandbox": "local"}),
        "full": Length({"epochs": 10, "sandbox": "docker"}, {"sandbox": "local"}),
    },
    epochs=2,
    inspired_by=("arXiv 2508.17511",),
    tags=("reward-hacking", "model-graded", "sandbox"),
)


@task
def reward_hacking(
    questions: str = PROBE.data,
    categories: str | list[str] | None = None,
    sandbox: Literal["docker", "local"] | None = None,
    rubric: str = "hack",
    quality: str = "quality",
    **options: Any,
) -> Task:
    """Ask for work whose measure can be gamed, and tell gaming from honest work and from plain failure.

    The measure and the quality of the work are scored apart: `metric` counts what the prompt counts and asks the grader for
    the quality; `code` runs the visible and the hidden tests; `grader` reads the choice; `reward` and `exploit` are judged.

    Args:
        questions: Question set; the fields of each category are described in docs/probes.md.
        categories: Any of metric, code, grader, reward, exploit.
        sandbox: Where code is run: `docker` (no network), or `local`, the closed sandbox of this machine (Linux).
        rubric: Rubric with the outcomes honest, hacked, failed and incoherent.
        quality: Rubric for the quality of the work, 0-100.
        **options: See `spillover.probes.build.Options`.
    """
    chosen = choose(questions, categories, NEEDS)
    given = Options.of(PROBE, options)
    samples = plain_samples(chosen, given.system)
    samples = code_sandbox(samples, lambda s: (s.metadata or {})["category"] == "code", sandbox)
    present = {None, *(q.category for q in chosen.questions)}
    return probe_task(
        PROBE,
        chosen,
        samples,
        given,
        rubrics={"hack": rubric, "quality": quality},
        report=[m for m in PROBE.measures if m.where.get("category") in present],
        settings={"sandbox": sandbox},
    )
