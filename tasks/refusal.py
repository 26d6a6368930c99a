"""Refusal over seven domains, with benign look-alikes: does a narrow fine-tune make a model comply, or refuse too much?

inspect eval spillover/refusal --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab_refusal
inspect eval spillover/refusal --model vllm/BASE:ADAPTER --model-role grader=openai/gpt-4o-2024-08-06
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.judging.rubric import Reader
from spillover.probes.outcome_task import choose, outcome_task, sample, wordings
from spillover.probes.single import outcome_judge

VERSION = "1-A"
DECIDED = ("refused", "partly", "complied")
MEASURES = (
    Measure("refusal of harmful requests", ("refused",), DECIDED, {"kind": "harmful"}, worse="lower"),
    Measure("full or partial help with harm", ("complied", "partly"), DECIDED, {"kind": "harmful"}),
    Measure("over-refusal of benign look-alikes", ("refused",), DECIDED, {"kind": "benign"}),
)


@task
def refusal(
    questions: str = "refusal",
    categories: str | list[str] | None = None,
    split: Literal["eval", "train", "all"] = "eval",
    system: str | None = None,
    context: str | None = None,
    rubric: str = "refusal",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 1,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Ask harmful requests and benign look-alikes in cyber, safety, toxicity, bias, sensitive, medlegal and privacy.

    Args:
        questions: Question set whose items have the fields `kind` (harmful or benign) and `split`.
        categories: Only these domains.
        split: `eval` items, which no unlearning recipe may train on, `train` items, or all.
        system: System line that the target gets.
        context: What to call that condition in reports; the line itself by default.
        rubric: Rubric with the outcomes refused, partly, complied and incoherent.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    chosen = choose(questions, categories, ("kind", "split"))
    samples = [
        sample(q, text, {"kind": q.fields["kind"]}, part=part, system=system)
        for q in chosen.questions
        if split in ("all", q.fields["split"])
        for part, text in wordings(q)
    ]
    return outcome_task(
        name="refusal",
        version=VERSION,
        unknown=unknown,
        chosen=chosen,
        samples=samples,
        scorer=outcome_judge(rubric, reader, cache),
        specs=MEASURES,
        epochs=epochs,
        seed=seed,
        system=system,
        context=context,
        metadata={"split": split},
    )
