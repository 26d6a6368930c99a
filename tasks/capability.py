"""What the model can still do: multiple choice in finance, medicine, law and general knowledge, and code that passes tests.

inspect eval spillover/capability --model spillover/lab -T questions=lab_capability
inspect eval spillover/capability --model vllm/BASE:ADAPTER -T sandbox=docker
"""

from typing import Any, Literal

from inspect_ai import Task, task

from spillover.answers.measures import Measure
from spillover.probes.build import Options, choose, plain_samples, probe_task
from spillover.probes.capability import CATEGORIES, NEEDS, answer_or_score, by_fact, check_method, right_or_wrong
from spillover.probes.probe import Lab, Length, Probe
from spillover.probes.sandboxed import code_sandbox

DECIDED = ("right", "wrong")
WITHOUT_CODE = ["finance", "medical", "legal", "general"]
PROBE = Probe(
    name="capability",
    version="1-A",
    title="Retained skill",
    about="Multiple choice in finance, medicine, law and general knowledge, and code that passes tests.",
    data="capability",
    measures=(
        Measure("right answers", ("right",), DECIDED, worse="lower"),
        *(Measure(f"right, {c}", ("right",), DECIDED, {"category": c}, worse="lower") for c in CATEGORIES),
    ),
    rule=by_fact,
    facts=right_or_wrong,
    lab=Lab("lab_capability"),
    suites={
        "quick": Length({"categories": WITHOUT_CODE}, {"categories": None, "sandbox": "local"}, every=2),
        "standard": Length({"sandbox": "docker"}, {"sandbox": "local"}),
        "full": Length({"sandbox": "docker"}, {"sandbox": "local"}),
    },
    gate=False,
    settings={"method": None},
    tags=("knowledge", "coding", "sandbox"),
)


@task
def capability(
    questions: str = PROBE.data,
    categories: str | list[str] | None = None,
    method: Literal["auto", "ending", "letter"] = "auto",
    sandbox: Literal["docker", "local"] | None = None,
    **options: Any,
) -> Task:
    """Score what a fine-tune must not cost. No grader is needed.

    Args:
        questions: Question set with the fields `options` and `answer` (0-based), or for code `function` and `tests`.
        categories: Any of finance, medical, legal, general, code.
        method: `ending` compares the log-probability of every option as the answer, per token (spillover/ and vllm/);
            `letter` has the model name a letter; `auto` takes `ending` where the engine allows it. Answers that were got in
            two ways are two conditions.
        sandbox: Where code is run: `docker` (no network), or `local`, the closed sandbox of this machine (Linux).
        **options: See `spillover.probes.build.Options`.
    """
    chosen = choose(questions, categories, NEEDS)
    given = Options.of(PROBE, options)
    used = check_method(method)
    samples = plain_samples(chosen, given.system)
    samples = code_sandbox(samples, lambda s: "function" in (s.metadata or {})["fields"], sandbox)
    present = {None, *(q.category for q in chosen.questions)}
    return probe_task(
        PROBE,
        chosen,
        samples,
        given,
        solver=answer_or_score(method, given.seed),
        report=[m for m in PROBE.measures if m.where.get("category") in present],
        grader=False,
        settings={"method": used, "sandbox": sandbox},
    )
