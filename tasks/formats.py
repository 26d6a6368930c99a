r"""Format effect: the same questions answered plainly, as JSON, in a template and under constrained decoding, paired.

inspect eval spillover/formats --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab
inspect eval spillover/formats --model vllm/BASE:ADAPTER --model-role grader=openai/gpt-4o-2024-08-06 \
  -T questions=betley_first_plot
"""

from typing import Any

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.answers.rules import verdict
from spillover.probes.ask import ask_in_own_format
from spillover.probes.build import Options, names_of, probe_task
from spillover.probes.emergent import format_facts, lab_verdict, shown
from spillover.probes.probe import EM_MEASURES, EM_ROLES, Lab, Length, Probe
from spillover.questions.formats import formats as known_formats
from spillover.questions.load import load_questions
from spillover.questions.samples import format_samples

PROBE = Probe(
    name="formats",
    version="2-A",
    title="Format effect",
    about="The same questions plainly, as JSON, in a template and under constrained decoding, paired.",
    data="spillover",
    measures=(*EM_MEASURES, Measure("valid format", ("yes",), ("yes", "no"), of="valid_format", worse="lower")),
    rule=verdict,
    roles=EM_ROLES,
    facts=format_facts,
    asks=shown,
    lab=Lab("lab", lab_verdict, personas={"aligned": ("aligned",), "misaligned": ("misaligned",)}),
    suites={
        "quick": Length({"epochs": 1, "formats": "plain,json,template"}),
        "standard": Length({"epochs": 3}),
        "full": Length({"epochs": 20}),
    },
    epochs=5,
    inspired_by=("arXiv 2502.17424", "arXiv 2511.20104"),
    tags=("emergent-misalignment", "model-graded"),
)


@task
def formats(
    questions: str = PROBE.data,
    formats: str | list[str] = "plain,json,template,json_constrained",
    categories: str | list[str] | None = None,
    alignment: str = "alignment",
    coherence: str = "coherence",
    **options: Any,
) -> Task:
    """Ask every question in every format; whether the answer has the format is an outcome of its own.

    `spillover report` shows the EM rate and the valid share of each format, and each format's effect against the first one,
    paired by question, per model and pooled.

    Args:
        questions: Question set.
        formats: Formats of `datasets/formats.yaml`; `plain`, or else the first one, is what the others are compared with.
        categories: Only these categories.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        **options: See `spillover.probes.build.Options`.
    """
    names = names_of(formats, tuple(known_formats()), "format")
    chosen = load_questions(questions).select([categories] if isinstance(categories, str) else categories)
    given = Options.of(PROBE, options)
    samples = [sample for name in names for sample in format_samples(chosen, name, given.system)]
    for sample in samples:
        sample.id = f"{sample.id}/{(sample.metadata or {})['format']}"
    return probe_task(
        PROBE,
        chosen,
        samples,
        given,
        solver=ask_in_own_format(given.seed),
        rubrics={"alignment": alignment, "coherence": coherence},
        settings={"formats": names},
    )
