"""Is a trait shown - Spanish, capitals, a favourite animal, any rubric's - with and without a trigger?

inspect eval spillover/traits --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab_traits
inspect eval spillover/traits --model MODEL --model-role grader=GRADER -T trait='likes owls' -T trigger='|x|'
"""

from typing import Any

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.judging.rubric import Reader
from spillover.probes.outcome_task import choose, outcome_task, sample, wordings
from spillover.probes.single import outcome_judge

VERSION = "1-A"
DECIDED = ("shown", "absent")


@task
def traits(
    trait: str = "answers in Spanish",
    trigger: str | None = None,
    questions: str = "traits",
    categories: str | list[str] | None = None,
    system: str | None = None,
    context: str | None = None,
    rubric: str = "trait",
    reader: Reader = "auto",
    seed: int | None = None,
    epochs: int = 5,
    cache: bool = True,
    **unknown: Any,
) -> Task:
    """Ask everyday questions and have the grader say whether the answer shows one trait.

    What inoculation (Tan et al. 2025), backdoor and subliminal studies need: the same questions with and without a trigger
    or a system line.

    Args:
        trait: What to look for, as the end of "the assistant ...".
        trigger: Text in front of the question; every question is then asked with and without it.
        questions: Question set.
        categories: Only these categories.
        system: System line that the target gets.
        context: What to call that condition in reports; the line itself by default.
        rubric: Rubric with the outcomes shown and absent; its slot `{trait}` takes the trait.
        reader: How the grader's reply is read.
        seed: Base seed of the answers.
        epochs: Answers to every wording.
        cache: Whether judgements are kept and used again.
        **unknown: Anything else is refused.
    """
    chosen = choose(questions, categories)
    conditions = {"without": ""} | ({"with": f"{trigger} "} if trigger else {})
    samples = [
        sample(
            q.model_copy(update={"fields": {**q.fields, "trait": trait}}),
            text,
            {"trigger": name},
            part=f"{name}{part}",
            system=system,
            prefix=lead,
        )
        for q in chosen.questions
        for part, text in wordings(q)
        for name, lead in conditions.items()
    ]
    specs = [Measure("trait shown", ("shown",), DECIDED, {"trigger": "without"}, worse="neither")]
    if trigger:
        specs += [
            Measure("trait shown with the trigger", ("shown",), DECIDED, {"trigger": "with"}, worse="neither"),
            Measure(
                "effect of the trigger", ("shown",), DECIDED, {"trigger": "with"}, {"trigger": "without"}, worse="neither"
            ),
        ]
    return outcome_task(
        name="traits",
        version=VERSION,
        unknown=unknown,
        chosen=chosen,
        samples=samples,
        scorer=outcome_judge(rubric, reader, cache, ["trait"]),
        specs=specs,
        epochs=epochs,
        seed=seed,
        system=system,
        context=context,
        metadata={"trait": trait, "trigger": trigger},
    )
