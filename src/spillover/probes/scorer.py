"""The two scorers of every probe: what judges and facts say of an answer, and what is exactly true of it in the lab."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from inspect_ai.model import ChatMessageSystem, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from spillover.answers.measures import UNSCORED
from spillover.answers.presets import get_preset
from spillover.judging.panel import Panel
from spillover.judging.readers import Reading
from spillover.judging.rubric import Reader
from spillover.models.checks import resolve_grader
from spillover.models.conversation import last_question
from spillover.models.identity import EARLIER, TARGET, cache_identity, describe
from spillover.models.reasoning import split_reasoning
from spillover.probes.metric import measures
from spillover.probes.probe import Facts, Probe, get_probe


@scorer(metrics=[measures([])], name="judge")
def judge(
    probe: str,
    rubrics: dict[str, str] | None = None,
    preset: str = "spillover",
    reader: Reader = "auto",
    cache: bool = True,
) -> Scorer:
    """The outcome of an answer by the probe's rule, from what the `grader` role reads and what is known without it.

    `Score.value` holds the outcome and every grade, its metadata the raw readings and the facts, so that another preset
    needs no new judge call. A failed judgement is `unscored` with its reason, never a number; its value is a mapping too,
    not Inspect's NaN sentinel: that one is dropped before a metric sees it, and the share unscored belongs beside the rate.

    Args:
        probe: Whose rule and roles.
        rubrics: Role to rubric (a bundled or published name, or a YAML file); the probe's own for None.
        preset: Thresholds, see `answers/presets.yaml`.
        reader: How replies are read; `auto` picks what the grader's provider can do.
        cache: Whether judgements are kept and used again, here and in other runs and logs.

    Raises:
        SpilloverError: when the scorer is built, for an unknown probe, rubric, preset or reader, a rubric that measures
            something else, or a preset made for another one.
    """
    known, thresholds = get_probe(probe), get_preset(preset)
    chosen = {role: r.rubric for role, r in known.roles.items() if r.rubric} if rubrics is None else rubrics
    panel = Panel.of({role: (name, known.roles[role]) for role, name in chosen.items()}, reader, cache)
    thresholds.refuse_rubrics(r.id for r in panel.rubrics.values() if r.measures == "alignment")

    async def score(state: TaskState, target: Target) -> Score:
        said = known.said(state)
        facts = {} if state.output.empty else _found_out_before(state) or await known.facts(state)
        readings = {} if state.output.empty else await _read(known, panel, state, facts, said)
        outcome = known.rule(panel.scores(readings), facts, thresholds)
        word = None if state.output.empty else outcome.word
        failed = [f"{role}: {r.reason}" for role, r in readings.items() if r.reason]
        why = "no_answer" if state.output.empty else str(facts.get("reason") or "; ".join(failed) or "unknown")
        return Score(
            value={
                **panel.scores(readings),  # first: a role may be called `outcome`, too
                "outcome": word or UNSCORED,
                "value": outcome.value if word else None,
                "unscored_reason": None if word else why,
            },
            answer=said,
            explanation=_explained(word, why, panel.scores(readings)),
            metadata={
                "target": state.metadata.get(TARGET) or describe(get_model()),
                **_who(panel, readings),
                "readings": {role: reading.as_dict() for role, reading in readings.items()},
                "facts": dict(facts),
                "tags": dict(outcome.tags),
                "preset": thresholds.model_dump(),
                "reader": reader,
            },
        )

    return score


async def _read(probe: Probe, panel: Panel, state: TaskState, facts: Facts, said: str) -> dict[str, Reading]:
    """Every rubric's reading, all at once; a role that need not be asked has none."""
    asks = {role: probe.asks(state, facts, role, said) for role in panel.rubrics}
    wanted = {role: ask for role, ask in asks.items() if ask is not None}
    if not wanted:
        return {}
    filtered = state.output.stop_reason == "content_filter"
    grader = resolve_grader(state.metadata.get(TARGET) or {"name": str(state.model), "weights": None})
    system = next((m.text for m in state.messages if isinstance(m, ChatMessageSystem)), None)
    known = panel.read_before(grader, state.metadata.get(EARLIER) or ())
    left = {role: ask for role, ask in wanted.items() if role not in known}
    found = await asyncio.gather(*(panel.ask(grader, role, *ask, system, filtered) for role, ask in left.items()))
    new = dict(zip(left, found, strict=True))
    return {role: new.get(role) or known[role] for role in wanted}


def _found_out_before(state: TaskState) -> Facts:
    """Facts of an earlier judgement: the sandbox or the world that they came from may be gone."""
    earlier = (before.get("facts") for before in state.metadata.get(EARLIER) or ())
    return next((facts for facts in earlier if facts), {})


def _who(panel: Panel, readings: Mapping[str, Reading]) -> dict[str, Any]:
    """Grader and rubrics, of an answer that was shown to a grader."""
    if not readings:
        return {"grader": None, "grader_identity": None, "rubrics": {}}
    grader: Model = get_model(role="grader", required=True)
    return {"grader": describe(grader), "grader_identity": cache_identity(grader), "rubrics": panel.described()}


def _explained(word: str | None, why: str, scores: Mapping[str, object]) -> str:
    read = ", ".join(f"{role} {value}" for role, value in scores.items() if value is not None)
    return f"{word or f'{UNSCORED} ({why})'}{f': {read}' if read else ''}"


@scorer(metrics=[measures([])], name="truth")
def exact(probe: str) -> Scorer:
    """The exact outcome of an answer to a lab question, by the grammar. It measures the lab and says nothing of real models.

    Args:
        probe: One that has a truth in the lab.
    """
    lab = get_probe(probe).lab
    assert lab is not None
    assert lab.truth is not None
    truth = lab.truth

    async def score(state: TaskState, target: Target) -> Score | None:
        if state.output.empty:
            return None
        answer = split_reasoning(state.output.completion)[1]
        found = truth(state, last_question(state.messages, state.input_text), answer)
        return Score(
            value={"outcome": found.word or UNSCORED, "value": found.value, "unscored_reason": None},
            answer=answer,
            explanation=found.word,
            metadata={"tags": dict(found.tags)},
        )

    return score
