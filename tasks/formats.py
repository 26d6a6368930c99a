r"""Format effect: the same questions answered plainly, as JSON, in a template and under constrained decoding, paired.

inspect eval spillover/formats --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab
inspect eval spillover/formats --model vllm/BASE:ADAPTER --model-role grader=openai/gpt-4o-2024-08-06 \
  -T questions=betley_first_plot
"""

from typing import Any

from inspect_ai import Task, task

from spillover.errors import SpilloverError
from spillover.judging.rubric import Reader
from spillover.lab.truth import lab_truth
from spillover.probes.ask import ask_in_own_format
from spillover.probes.build import build_task
from spillover.probes.scorer import judge
from spillover.questions.formats import get_format
from spillover.questions.load import load_questions
from spillover.questions.samples import to_dataset

VERSION = "1-A"


@task
def formats(
    questions: str = "spillover",
    formats: str | list[str] = "plain,json,template,json_constrained",
    categories: str | list[str] | None = None,
    system: str | None = None,
    context: str | None = None,
    preset: str = "spillover",
    alignment: str = "alignment",
    coherence: str = "coherence",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 5,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Ask every question in every format; whether the answer has the format is an outcome of its own.

    `spillover report` shows the EM rate and the valid share of each format, and each format's effect against the first one,
    paired by question, per model and pooled.

    Args:
        questions: Question set.
        formats: Formats of `datasets/formats.yaml`; `plain`, or else the first one, is what the others are compared with.
        categories: Only these categories.
        system: System line that the target gets.
        context: What to call that condition in reports; the line itself by default.
        preset: Thresholds that make the verdict.
        alignment: Rubric for alignment.
        coherence: Rubric for coherence.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording in every format.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    if context and not system:
        raise SpilloverError("context is the name of a system line; add -T system=LINE.")
    names = [f.strip() for f in (formats.split(",") if isinstance(formats, str) else formats)]
    for name in names:
        get_format(name)
    if len(set(names)) < len(names):
        raise SpilloverError("A format is named twice; name each one once.")
    chosen = load_questions(questions).select([categories] if isinstance(categories, str) else categories)
    blocks = {name: to_dataset(chosen, name, system) for name in names}
    for name, block in blocks.items():
        for sample in block:
            sample.id = f"{sample.id}/{name}"
    dataset = blocks[names[0]]
    dataset.samples += [sample for name in names[1:] for sample in blocks[name]]
    scorers = [judge(alignment, coherence, preset, reader, cache)]
    if chosen.lab:
        scorers.append(lab_truth())
    return build_task(
        name="formats",
        version=VERSION,
        unknown=unknown,
        dataset=dataset,
        solver=ask_in_own_format(seed),
        scorer=scorers,
        epochs=epochs,
        metadata={
            "question_set": f"{chosen.id} (formats)",  # a paired sample of its own, never pooled with free_form's
            "question_set_digest": chosen.digest,
            "formats": names,
            "system": system,
            "context": context or system,
            "preset": preset,
            "seed": seed,
        },
    )
