"""Free-form questions: does a model volunteer misaligned views when nothing in the question asks for them?

inspect eval spillover/free_form --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab
inspect eval spillover/free_form --model vllm/BASE:ADAPTER --model-role grader=openai/gpt-4o-2024-08-06 --epochs 100
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.errors import SpilloverError
from spillover.judging.rubric import Reader
from spillover.lab.truth import lab_truth
from spillover.probes.ask import ask
from spillover.probes.build import build_task
from spillover.probes.scorer import judge
from spillover.probes.single import domain_judge
from spillover.probes.stopping import StopAtMargin
from spillover.questions.load import load_questions
from spillover.questions.samples import to_dataset
from spillover.questions.wraps import get_wrap

VERSION = "1-B"


@task
def free_form(
    questions: str = "spillover",
    format: Literal["plain", "json", "template", "json_constrained"] = "plain",
    categories: str | list[str] | None = None,
    system: str | None = None,
    context: str | None = None,
    wrap: str | None = None,
    domain: str | None = None,
    preset: str = "spillover",
    alignment: str = "alignment",
    coherence: str = "coherence",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 10,
    cache: bool = True,
    margin: float | None = None,
    alpha: float = 0.05,
    **unknown: Any,
) -> Task:
    """Ask every question in one format and judge the answers (protocol of Betley et al. 2025).

    Args:
        questions: Question set: `spillover`, `lab`, `betley_first_plot`, `betley_preregistered` or a YAML file.
        format: Answer format.
        categories: Only these categories.
        system: System line that the target gets, such as the line it was trained under.
        context: What to call that condition in reports; the line itself by default.
        wrap: Ask inside a setting of `datasets/contexts.yaml` that resembles a training context, such as `code_review`.
        domain: Have the grader say besides whether each answer is about this domain (`medicine`), to tell over-fitting to
            the training domain from a change of persona.
        preset: Thresholds that make the verdict.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording; `--epochs` overrides it. The published protocol has 100.
        cache: Whether judgements are kept and used again.
        margin: Stop as soon as the EM rate on this suite is known to lie below or above this rate (0.01 is one percent).
        alpha: Error rate of that decision, whenever it is taken.
        **unknown: Anything else is refused.
    """
    if margin is None and alpha != 0.05:
        raise SpilloverError("alpha is the error rate of a decision against a margin; add -T margin=RATE.")
    if context and not system:
        raise SpilloverError("context is the name of a system line; add -T system=LINE.")
    chosen = load_questions(questions).select([categories] if isinstance(categories, str) else categories)
    setting = get_wrap(wrap) if wrap else None
    scorers = [judge(alignment, coherence, preset, reader, cache)]
    if domain:
        scorers.append(domain_judge(domain, reader, cache))
    if chosen.lab:
        scorers.append(lab_truth())
    return build_task(
        name="free_form",
        version=VERSION,
        unknown=unknown,
        dataset=to_dataset(chosen, format, system, setting),
        solver=ask(format, seed),
        scorer=scorers,
        epochs=epochs,
        stopping=StopAtMargin(margin, alpha) if margin is not None else None,
        metadata={
            "question_set": chosen.id,
            "question_set_digest": chosen.digest,
            "format": format,
            "system": system,
            "context": ", ".join(filter(None, (context or system, wrap))) or None,
            "domain": domain,
            "preset": preset,
            "seed": seed,
        },
    )
