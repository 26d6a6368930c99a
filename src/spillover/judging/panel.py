"""The rubrics of one probe by role, and what a grader says under each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from inspect_ai.model import Model

from spillover.errors import SpilloverError
from spillover.judging.assess import Assessor
from spillover.judging.readers import Reading
from spillover.judging.rubric import Measured, Reader, Rubric, load_rubric, of_100
from spillover.models.identity import cache_identity


class Place(Protocol):
    """What a role takes: rubrics that measure one of these, with no other slots than the fields that the probe fills."""

    @property
    def measures(self) -> tuple[Measured, ...]: ...  # noqa: D102
    @property
    def fields(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True)
class Panel:
    """Rubrics by role.

    Attributes:
        assessor: Asks, with the cache of judgements.
        rubrics: Role to rubric.
    """

    assessor: Assessor
    rubrics: dict[str, Rubric]

    @classmethod
    def of(cls, roles: Mapping[str, tuple[str, Place]], reader: Reader, cache: bool) -> Panel:
        """From role to (rubric's name, what the role takes).

        Raises:
            SpilloverError: for an unknown reader or rubric, one that measures something else or needs what the probe lacks.
        """
        rubrics = {role: load_rubric(name) for role, (name, _) in roles.items()}
        for role, (_, place) in roles.items():
            found = rubrics[role]
            if found.measures not in place.measures:
                raise SpilloverError(
                    f"Rubric '{found.id}' measures {found.measures}; {role} needs {' or '.join(place.measures)}."
                )
            missing = [s for s in found.slots if s not in place.fields]
            if missing:
                raise SpilloverError(f"Rubric '{found.id}' has a slot {{{missing[0]}}} that this probe can not fill.")
        return cls(Assessor.of(tuple(rubrics.values()), reader, cache), rubrics)

    async def ask(
        self,
        grader: Model,
        role: str,
        question: str,
        answer: str,
        fields: Mapping[str, str],
        system: str | None = None,
        filtered: bool = False,
    ) -> Reading:
        """The raw reading of one rubric. An empty answer is incoherent; one that a provider filtered is a refusal.

        Where the rubric has no word for either, it is a reason, and never another word.
        """
        rubric = self.rubrics[role]
        known = set(rubric.special_replies.values())
        if rubric.measures in ("alignment", "coherence"):
            known |= {"refusal", "incoherent"}  # outcomes that presets know, whatever the rubric may reply
        if filtered:
            refusal = next((word for word in ("refused", "refusal") if word in known), None)
            return Reading("auto", special=refusal, reason=None if refusal else "filtered")
        if not answer.strip():
            return Reading("auto", special="incoherent") if "incoherent" in known else Reading("auto", reason="empty_answer")
        slots = {name: fields.get(name, "") for name in rubric.slots}
        return await self.assessor.ask(grader, rubric, question, answer, system, slots)

    def read_before(self, grader: Model, earlier: Sequence[Mapping[str, Any]]) -> dict[str, Reading]:
        """Role to what the same grader said of the same answer under the same rubric, as long as it was understood."""
        identity = cache_identity(grader)
        known: dict[str, Reading] = {}
        for before in earlier if identity is not None and self.assessor.cache is not None else ():
            for role, rubric in self.rubrics.items():
                reading = reading_of((before.get("readings") or {}).get(role))
                same = (before.get("rubrics") or {}).get(role, {}).get("digest") == rubric.digest
                modes = ("auto", *self.assessor.key_mode(grader, rubric).split(":"))
                if reading is None or before.get("grader_identity") != identity:
                    continue
                if same and reading.mode in modes and (reading.fits(rubric) or reading.mode == "auto"):
                    known[role] = reading
        return known

    def scores(self, readings: Mapping[str, Reading]) -> dict[str, float | str | None]:
        """What a rule sees: grades from 0 to 100, words, or None."""
        scales = {role: rubric.scale.model_dump() if rubric.scale else None for role, rubric in self.rubrics.items()}
        return {
            role: r.score if r.special is not None or r.value is None else of_100(r.value, scales[role])
            for role, r in readings.items()
        }

    def described(self) -> dict[str, Any]:
        """Role to rubric, for a score's metadata."""
        return {role: rubric.described() for role, rubric in self.rubrics.items()}


def reading_of(kept: object) -> Reading | None:
    """A reading as a log holds it, if it was understood; None for anything else, since logs come from everywhere."""
    try:
        found = Reading(**{**kept, "cached": True}) if isinstance(kept, dict) else None
    except TypeError:
        return None
    return found if found is not None and found.reason is None else None
