"""What the model can still do: multiple choice in finance, medicine, law and general knowledge, and code that passes tests.

inspect eval spillover/capability --model spillover/lab -T questions=lab_capability
inspect eval spillover/capability --model vllm/BASE:ADAPTER -T sandbox=docker
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.probes.capability import CATEGORIES, NEEDS, answer_or_score, capability_scorer, check_method
from spillover.probes.outcome_task import choose, outcome_task, sample, wordings
from spillover.probes.sandboxed import code_sandbox

VERSION = "1-A"
DECIDED = ("right", "wrong")


@task
def capability(
    questions: str = "capability",
    categories: str | list[str] | None = None,
    method: Literal["auto", "ending", "letter"] = "auto",
    sandbox: Literal["docker", "local"] | None = None,
    system: str | None = None,
    context: str | None = None,
    seed: int | None = None,
    epochs: int = 1,
    **unknown: Any,
) -> Task:
    """Score what a fine-tune must not cost. No grader is needed.

    Args:
        questions: Question set with the fields `options` and `answer` (0-based), or for code `function` and `tests`.
        categories: Any of finance, medical, legal, general, code.
        method: `ending` compares the log-probability of every option as the answer, per token (spillover/ and vllm/);
            `letter` has the model name a letter; `auto` takes `ending` where the engine allows it.
        sandbox: Where code is run: `docker` (no network), or `local`, which runs what the model wrote on this machine.
        system: System line that the target gets.
        context: What to call that condition in reports; the line itself by default.
        seed: Base seed of the answers.
        epochs: Answers to every question.
        **unknown: Anything else is refused.
    """
    chosen = choose(questions, categories, NEEDS)
    check_method(method)
    samples = [sample(q, text, {}, part=part, system=system) for q in chosen.questions for part, text in wordings(q)]
    code_sandbox([s for s in samples if s.metadata and "function" in s.metadata["fields"]], sandbox)
    present = {q.category for q in chosen.questions}
    return outcome_task(
        name="capability",
        version=VERSION,
        unknown=unknown,
        chosen=chosen,
        samples=samples,
        solver=answer_or_score(method, seed),
        scorer=capability_scorer(),
        specs=[
            Measure("right answers", ("right",), DECIDED, worse="lower"),
            *(
                Measure(f"right, {c}", ("right",), DECIDED, {"category": c}, worse="lower")
                for c in CATEGORIES
                if c in present
            ),
        ],
        epochs=epochs,
        seed=seed,
        system=system,
        context=context,
        grader=False,
        metadata={"method": method, "sandbox": sandbox},
    )
