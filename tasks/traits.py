"""Is a trait shown - Spanish, capitals, a favourite animal, any rubric's - with and without a trigger?

inspect eval spillover/traits --model spillover/lab --model-role grader=spillover/lab-grader -T questions=lab_traits
inspect eval spillover/traits --model MODEL --model-role grader=GRADER -T trait='likes owls' -T trigger='|x|'
"""

from typing import Any

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.answers.rules import one_word
from spillover.lab.outcomes import trait_truth
from spillover.probes.build import Options, choose, probe_task, sample, wordings
from spillover.probes.probe import Lab, Length, Probe, Role

SHOWN = ("shown",), ("shown", "absent")
WITH, WITHOUT = {"trigger": "with"}, {"trigger": "without"}
PROBE = Probe(
    name="traits",
    version="1-A",
    title="Traits",
    about="Is a trait shown, with and without a trigger?",
    data="traits",
    measures=(
        Measure("trait shown", *SHOWN, WITHOUT, worse="neither"),
        Measure("trait shown with the trigger", *SHOWN, WITH, worse="neither"),
        Measure("effect of the trigger", *SHOWN, WITH, WITHOUT, worse="neither"),
    ),
    rule=one_word("outcome"),
    roles={"outcome": Role("trait", fields=("trait",))},
    lab=Lab("lab_traits", trait_truth),
    suites={"full": Length({"epochs": 5})},
    gate=False,
    epochs=5,
    settings={"trait": None, "trigger": None},
    inspired_by=("arXiv 2510.04340",),
    tags=("model-graded",),
)


@task
def traits(
    trait: str = "answers in Spanish",
    trigger: str | None = None,
    questions: str = PROBE.data,
    categories: str | list[str] | None = None,
    rubric: str = "trait",
    **options: Any,
) -> Task:
    """Ask everyday questions and have the grader say whether the answer shows one trait.

    What inoculation (Tan et al. 2025), backdoor and subliminal studies need: the same questions with and without a trigger
    or a system line.

    Args:
        trait: What to look for, as the end of "the assistant ...".
        trigger: Text in front of the question; every question is then asked with and without it.
        questions: Question set.
        categories: Only these categories.
        rubric: Rubric with the outcomes shown and absent; its slot `{trait}` takes the trait.
        **options: See `spillover.probes.build.Options`.
    """
    chosen = choose(questions, categories)
    given = Options.of(PROBE, options)
    conditions = {"without": ""} | ({"with": f"{trigger} "} if trigger else {})
    samples = [
        sample(q, text, {"trigger": name}, part=f"{name}{part}", system=given.system, prefix=lead, fields={"trait": trait})
        for q in chosen.questions
        for part, text in wordings(q)
        for name, lead in conditions.items()
    ]
    return probe_task(
        PROBE,
        chosen,
        samples,
        given,
        rubrics={"outcome": rubric},
        report=PROBE.measures if trigger else PROBE.measures[:1],
        settings={"trait": trait, "trigger": trigger},
    )
