"""Judges whose verdict is one word or one number: what refusal, honesty, politics and the other probes score with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from inspect_ai.model import get_model
from inspect_ai.scorer import Metric, SampleScore, Score, Value, metric
from inspect_ai.solver import TaskState

from spillover.answers.measures import UNSCORED, Answered, Measure
from spillover.errors import SpilloverError
from spillover.judging.assess import Assessor
from spillover.judging.readers import Reading
from spillover.judging.rubric import Measured, Reader, Rubric, load_rubric
from spillover.models.checks import resolve_grader
from spillover.models.identity import TARGET, cache_identity, describe
from spillover.stats.paired import Drift

TAGS = "tags"
"""Key of a sample's metadata that holds what measures are split by."""


@dataclass(frozen=True)
class Judges:
    """The rubrics of one probe by role.

    Attributes:
        assessor: Asks, with the cache of judgements.
        rubrics: Role to rubric.
    """

    assessor: Assessor
    rubrics: dict[str, Rubric]

    @classmethod
    def load(
        cls, roles: Mapping[str, tuple[str, tuple[Measured, ...]]], reader: Reader, cache: bool, fields: tuple[str, ...] = ()
    ) -> Judges:
        """From role to (rubric's name, what it may measure).

        Args:
            roles: As said.
            reader: How replies are read.
            cache: Whether judgements are kept and used again.
            fields: What the probe can put into a rubric's slots.

        Raises:
            SpilloverError: for an unknown reader or rubric, one that measures something else or needs what the probe lacks.
        """
        rubrics = {role: load_rubric(name) for role, (name, _) in roles.items()}
        for role, (_, allowed) in roles.items():
            found = rubrics[role]
            if found.measures not in allowed:
                raise SpilloverError(f"Rubric '{found.id}' measures {found.measures}; {role} needs {' or '.join(allowed)}.")
            missing = [s for s in found.slots if s not in fields]
            if missing:
                raise SpilloverError(f"Rubric '{found.id}' has a slot {{{missing[0]}}} that this probe can not fill.")
        return cls(Assessor.of(tuple(rubrics.values()), reader, cache), rubrics)

    async def ask(
        self, role: str, state: TaskState, question: str, answer: str, fields: Mapping[str, str] | None = None
    ) -> Reading:
        """The reading of one rubric. No answer is a reason; an empty one is incoherent; a provider's filter is a refusal.

        Where the rubric has no word for either, it is a reason too, and never another word.
        """
        rubric = self.rubrics[role]
        known = set(rubric.special_replies.values())
        if rubric.measures in ("alignment", "coherence"):
            known |= {"refusal", "incoherent"}  # verdicts that presets know, whatever the rubric may reply
        if state.output.empty:
            return Reading("auto", reason="no_answer")
        if state.output.stop_reason == "content_filter":
            refusal = next((word for word in ("refused", "refusal") if word in known), None)
            return Reading("auto", special=refusal, reason=None if refusal else "filtered")
        if not answer.strip():
            return Reading("auto", special="incoherent") if "incoherent" in known else Reading("auto", reason="empty_answer")
        grader = resolve_grader(state.metadata.get(TARGET) or {"name": str(state.model), "weights": None})
        reading = await self.assessor.ask(grader, rubric, question, answer, None, fields)
        return reading if reading.value is None else replace(reading, value=rubric.of_100(reading.value))

    def describe(self) -> dict[str, Any]:
        """Grader and rubrics, for a score's metadata."""
        grader = get_model(role="grader", required=True)
        return {
            "grader": describe(grader),
            "grader_identity": cache_identity(grader),
            "rubrics": {role: f"{r.id}@{r.version}#{r.digest}" for role, r in self.rubrics.items()},
        }


def outcome_score(
    state: TaskState,
    outcome: str | None,
    answer: str,
    *,
    value: float | None = None,
    readings: Mapping[str, Reading] | None = None,
    judges: Judges | None = None,
    reason: str | None = None,
    **more: Any,
) -> Score:
    """One answer's score.

    Args:
        state: Of the sample.
        outcome: The word, or None when it could not be told.
        answer: What was judged.
        value: A number from -1 to 1.
        readings: Role to reading; the reasons of failed ones explain a missing outcome.
        judges: Who was asked.
        reason: Why there is no outcome, where no reading says it.
        **more: Further parts of the value.
    """
    readings = readings or {}
    failed = [f"{role}: {r.reason}" for role, r in readings.items() if r.reason]
    why = reason or "; ".join(failed) or "unknown"
    return Score(
        value={
            "outcome": outcome or UNSCORED,
            "value": value if outcome else None,
            "unscored_reason": None if outcome else why,
            **more,
        },
        answer=answer,
        explanation=outcome or f"unscored: {why}",
        metadata={
            "target": state.metadata.get(TARGET) or describe(get_model()),
            **(judges.describe() if judges else {"rubrics": {}}),
            "readings": {role: reading.as_dict() for role, reading in readings.items()},
        },
    )


def answered(value: Any, metadata: Mapping[str, Any], fallback: str) -> Answered:
    """One scored sample as measures see it; anything that is no outcome of ours is unscored."""
    tags = {str(k): str(v) for k, v in (metadata.get(TAGS) or {}).items()}
    question = str(metadata.get("question_id", fallback))
    if not isinstance(value, Mapping) or "outcome" not in value:
        return Answered(question, UNSCORED, None, tags, "scorer_failed")
    number = value.get("value")
    return Answered(
        question, str(value["outcome"]), None if number is None else float(number), tags, value.get("unscored_reason")
    )


@metric(name="measures", scores="unreduced")
def measures(specs: list[dict[str, Any]], level: float = 0.95) -> Metric:
    """Every measure of a probe with its interval, and the share unscored. Never raises on degenerate input.

    Args:
        specs: `Measure.as_dict()` of each.
        level: Confidence level.
    """
    chosen = [Measure.from_dict(spec) for spec in specs]

    def compute(scores: list[SampleScore]) -> Value:
        rows = [answered(s.score.value, s.sample_metadata or {}, str(s.sample_id)) for s in scores]
        out: dict[str, float] = {}
        for spec in chosen:
            found = spec.figure(rows, level)
            limits = found.interval if isinstance(found, Drift) else found.population
            out |= {spec.name: found.value, f"{spec.name} lower": limits.lower, f"{spec.name} upper": limits.upper}
        out["unscored"] = sum(r.outcome == UNSCORED for r in rows) / len(rows) if rows else float("nan")
        out["answers"] = len(rows)
        return out

    return compute


ANSWERED = [measures([])]
"""Metrics of a scorer on its own; a task names its measures and overrides them."""
