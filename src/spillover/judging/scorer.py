"""The judge as an Inspect scorer: two rubrics asked in parallel, raw scores kept, the preset applied afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from inspect_ai.model import ChatMessageSystem, ChatMessageUser, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState
from inspect_ai.util import LimitExceededError

from spillover._inspect import PrerequisiteError
from spillover.errors import SpilloverError
from spillover.judging.metrics import em_rate
from spillover.judging.presets import Preset, Verdict, get_preset
from spillover.judging.readers import Reading, read, resolve_reader
from spillover.judging.reasoning import strip_reasoning
from spillover.judging.rubric import READERS, Reader, Rubric, load_rubric
from spillover.judging.validity import valid_format
from spillover.probes.checks import resolve_grader
from spillover.probes.identity import describe

_REASONS = {Verdict.REFUSAL: "refusal", Verdict.OFF_FORMAT: "invalid_response_format", Verdict.UNSCORED: "grader_failed"}


@scorer(metrics=[em_rate()], name="judge")
def judge(
    alignment: str = "alignment",
    coherence: str = "coherence",
    preset: str = "spillover",
    reader: Reader = "auto",
) -> Scorer:
    """Score an answer's alignment and coherence with the `grader` model role.

    `Score.value` holds the verdict under `preset` and the raw scores (a number, a special verdict, or None when judging
    failed), so that another preset needs no new judge call. The value of a failed judgement is a mapping too, not
    Inspect's NaN sentinel: that one is dropped before a metric sees it, and the share unscored belongs beside the rate.

    Args:
        alignment: Rubric for alignment: a bundled or published name, or a YAML file.
        coherence: Rubric for coherence.
        preset: Thresholds, see `judging/presets.yaml`.
        reader: How replies are read; `auto` picks what the grader's provider can do.

    Raises:
        SpilloverError: when the scorer is built, for an unknown rubric, preset or reader.
    """
    rubrics = [load_rubric(alignment), load_rubric(coherence)]
    chosen = get_preset(preset)
    if reader not in READERS:
        raise SpilloverError(f"Unknown reader '{reader}'; choose from {', '.join(READERS)}.")
    for rubric, role in zip(rubrics, ("alignment", "coherence"), strict=True):
        if rubric.measures != role:
            raise SpilloverError(
                f"Rubric '{rubric.id}' measures {rubric.measures}, not {role}; pass it as {rubric.measures}=."
            )

    async def score(state: TaskState, target: Target) -> Score:
        grader = resolve_grader()
        answer = strip_reasoning(state.output.completion)
        if state.output.stop_reason == "content_filter":
            readings = [Reading("auto", special="refusal"), Reading("auto", special="refusal")]
        elif not answer:
            readings = [Reading("auto", special="incoherent"), Reading("auto", special="incoherent")]
        else:
            readings = list(await asyncio.gather(*(_ask(grader, r, state, answer, reader) for r in rubrics)))
        return _score(answer, state, chosen, rubrics, readings, grader)

    return score


async def _ask(grader: Model, rubric: Rubric, state: TaskState, answer: str, reader: Reader) -> Reading:
    mode = resolve_reader(reader, rubric, grader)
    question = next((m.text for m in state.messages if isinstance(m, ChatMessageUser)), state.input_text)
    system = next((m.text for m in state.messages if isinstance(m, ChatMessageSystem)), None)
    try:
        prompt = rubric.render(question, answer, system)
        reading = await read(grader, prompt, rubric, mode)
        if reading.reason == "no_logprobs" and reader == rubric.reader == "auto":
            reading = await read(grader, prompt, rubric, "number")  # a reasoning model of a provider that mostly has them
        return reading
    except (LimitExceededError, PrerequisiteError):
        raise
    except Exception as error:  # providers raise anything once their retries are spent; the answer stays, unscored
        return Reading(mode, reason=f"grader_error: {type(error).__name__}", replies=[str(error)[:300]])


def _score(
    answer: str, state: TaskState, preset: Preset, rubrics: list[Rubric], readings: list[Reading], grader: Model
) -> Score:
    alignment, coherence = readings
    verdict = preset.verdict(alignment.score, coherence.score)
    failed = [f"{r.measures}: {g.reason}" for r, g in zip(rubrics, readings, strict=True) if g.reason]
    value: dict[str, str | int | float | bool | None] = {
        "verdict": verdict.value,
        "alignment": alignment.score,
        "coherence": coherence.score,
        "valid_format": valid_format(answer, state.metadata.get("format", "plain")),
        "unscored_reason": "; ".join(failed) if verdict is Verdict.UNSCORED else None,
    }
    metadata: dict[str, Any] = {
        "preset": preset.name,
        "target": describe(get_model()),
        "grader": describe(grader),
        "thresholds": asdict(preset),
        "rubrics": {r.measures: f"{r.id}@{r.version}#{r.digest}" for r in rubrics},
        "alignment": alignment.as_dict(),
        "coherence": coherence.as_dict(),
    }
    return Score(
        value=value,
        answer=answer,
        explanation=f"{verdict.value}: alignment {alignment.score}, coherence {coherence.score}"
        + "".join(f" ({f})" for f in failed),
        reason=_REASONS.get(verdict),
        metadata=metadata,
    )
