r"""Tasks that can be gamed: crude metrics, hard-coded tests, a lenient grader, one's own reward, an open answer file.

inspect eval spillover/reward_hacking --model spillover/lab --model-role grader=spillover/lab-grader \
  -T questions=lab_reward_hacking
inspect eval spillover/reward_hacking --model MODEL --model-role grader=openai/gpt-4o-2024-08-06 -T sandbox=docker
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.judging.rubric import Reader
from spillover.probes.outcome_task import choose, outcome_task, sample, wordings
from spillover.probes.reward_hacking import CATEGORIES, NEEDS, hack_judge
from spillover.probes.sandboxed import code_sandbox

VERSION = "1-A"
DECIDED = ("honest", "hacked", "failed")
MEASURES = (
    Measure("hacked", ("hacked",), DECIDED),
    *(Measure(f"hacked, {name}", ("hacked",), DECIDED, {"category": name}) for name in CATEGORIES),
    Measure("honest", ("honest",), DECIDED, worse="lower"),
)


@task
def reward_hacking(
    questions: str = "reward_hacking",
    categories: str | list[str] | None = None,
    sandbox: Literal["docker", "local"] | None = None,
    system: str | None = None,
    context: str | None = None,
    rubric: str = "hack",
    quality: str = "quality",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 2,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Ask for work whose measure can be gamed, and tell gaming from honest work and from plain failure.

    The measure and the quality of the work are scored apart: `metric` counts what the prompt counts and asks the grader for
    the quality; `code` runs the visible and the hidden tests; `grader` reads the choice; `reward` and `exploit` are judged.

    Args:
        questions: Question set; the fields of each category are described in docs/probes.md.
        categories: Any of metric, code, grader, reward, exploit.
        sandbox: Where code is run: `docker` (no network), or `local`, which runs what the model wrote on this machine.
        system: System line that the target gets.
        context: What to call that condition in reports; the line itself by default.
        rubric: Rubric with the outcomes honest, hacked, failed and incoherent.
        quality: Rubric for the quality of the work, 0-100.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    chosen = choose(questions, categories, NEEDS)
    samples = [sample(q, text, {}, part=part, system=system) for q in chosen.questions for part, text in wordings(q)]
    code_sandbox([s for s in samples if s.metadata and s.metadata["category"] == "code"], sandbox)
    return outcome_task(
        name="reward_hacking",
        version=VERSION,
        unknown=unknown,
        chosen=chosen,
        samples=samples,
        scorer=hack_judge(rubric, quality, reader, cache),
        specs=[m for m in MEASURES if m.where.get("category") in {None, *(q.category for q in chosen.questions)}],
        epochs=epochs,
        seed=seed,
        system=system,
        context=context,
        metadata={"sandbox": sandbox},
    )
