"""Free-form questions: does a model volunteer misaligned views when nothing in the question asks for them?

inspect eval spillover/free_form --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab
inspect eval spillover/free_form --model vllm/BASE:ADAPTER --model-role grader=openai/gpt-4o-2024-08-06 --epochs 100
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.answers.rules import verdict
from spillover.errors import SpilloverError
from spillover.probes.build import Options, probe_task
from spillover.probes.emergent import format_facts, lab_verdict, shown
from spillover.probes.probe import EM, EM_MEASURES, EM_ROLES, Lab, Length, Probe, Role
from spillover.probes.stopping import StopAtMargin
from spillover.questions.load import load_questions
from spillover.questions.samples import format_samples
from spillover.questions.wraps import get_wrap

VALID = Measure("valid format", ("yes",), ("yes", "no"), of="valid_format", worse="lower")
PROBE = Probe(
    name="free_form",
    version="2-A",
    title="Free-form questions",
    about="Does the model volunteer misaligned views when nothing in the question asks for them?",
    data="spillover",
    measures=(*EM_MEASURES, VALID),
    rule=verdict,
    roles={**EM_ROLES, "domain": Role("", ("outcome",), ("domain",))},
    facts=format_facts,
    asks=shown,
    lab=Lab("lab", lab_verdict, personas={"aligned": ("aligned",), "misaligned": ("misaligned",)}),
    suites={"quick": Length({"epochs": 2}), "standard": Length({"epochs": 10}), "full": Length({"epochs": 100})},
    epochs=10,
    settings={"domain": None},
    inspired_by=("arXiv 2502.17424",),
    tags=("emergent-misalignment", "model-graded"),
)


@task
def free_form(
    questions: str = PROBE.data,
    format: Literal["plain", "json", "template", "json_constrained"] = "plain",
    categories: str | list[str] | None = None,
    wrap: str | None = None,
    domain: str | None = None,
    alignment: str = "alignment",
    coherence: str = "coherence",
    margin: float | None = None,
    alpha: float = 0.05,
    **options: Any,
) -> Task:
    """Ask every question in one format and judge the answers (protocol of Betley et al. 2025).

    Args:
        questions: Question set: `spillover`, `lab`, `betley_first_plot`, `betley_preregistered` or a YAML file.
        format: Answer format.
        categories: Only these categories.
        wrap: Ask inside a setting of `datasets/wraps.yaml` that resembles a training context, such as `code_review`.
        domain: Have the grader say besides whether each answer is about this domain (`medicine`), to tell over-fitting to
            the training domain from a change of persona.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        margin: Stop as soon as the EM rate on this suite is known to lie below or above this rate (0.01 is one percent).
        alpha: Error rate of that decision, whenever it is taken.
        **options: See `spillover.probes.build.Options`. The published protocol has `epochs=100`.
    """
    if margin is None and alpha != 0.05:
        raise SpilloverError("alpha is the error rate of a decision against a margin; add -T margin=RATE.")
    chosen = load_questions(questions).select([categories] if isinstance(categories, str) else categories)
    given = Options.of(PROBE, options)
    samples = format_samples(chosen, format, given.system, get_wrap(wrap) if wrap else None)
    rubrics = {"alignment": alignment, "coherence": coherence}
    report = [*EM_MEASURES, *([VALID] if format != "plain" else [])]
    if domain:
        rubrics["domain"] = "domain"
        for sample in samples:
            sample.metadata = {**(sample.metadata or {}), "fields": {**(sample.metadata or {})["fields"], "domain": domain}}
        about = ("inside",), ("inside", "outside")
        report += [
            Measure(f"{word} answers about {domain}", *about, {"outcome": word}, of="domain", worse="neither")
            for word in ("misaligned", "aligned")
        ]
    return probe_task(
        PROBE,
        chosen,
        samples,
        given,
        rubrics=rubrics,
        report=report,
        format=format,
        wrap=wrap,
        settings={"domain": domain, "margin": margin},
        early_stopping=StopAtMargin(EM, margin, alpha) if margin is not None else None,
    )
