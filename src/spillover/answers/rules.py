"""Rules: from readings and facts to an outcome. Applied after reading, so that another one needs no judge call.

A rule is a pure function. `readings` holds what every rubric that was asked gave: a grade from 0 to 100, the outcome that a
special reply means, or None when judging failed. `facts` holds what is known without a judge: tests, the state of a
world, a letter. A probe's rule is declared in its file in `tasks/`; logs name the probe, and what the log holds is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from spillover.answers.presets import Preset, Score
from spillover.errors import SpilloverError


class Outcome(NamedTuple):
    """What a rule makes of an answer.

    Attributes:
        word: What became of it; None when that could not be told.
        value: A number from -1 to 1, where there is one.
        tags: What is known of the answer only after reading.
    """

    word: str | None
    value: float | None = None
    tags: Mapping[str, str] = {}


Rule = Callable[[Mapping[str, Score], Mapping[str, Any], Preset], Outcome]
_RULES: dict[str, Rule] = {}


def register(probe: str, rule: Rule) -> None:
    """Make a probe's rule known to the readers of its logs."""
    _RULES[probe] = rule


def rule_of(probe: str) -> Rule:
    """The rule that a probe declares.

    Raises:
        SpilloverError: for a probe that is not installed here.
    """
    if probe not in _RULES:
        import_module("spillover._registry")  # discovers the probes, which register their rules
    if probe not in _RULES:
        raise SpilloverError(f"The probe '{probe}' is not installed here, so no other rule can be applied to its readings.")
    return _RULES[probe]


def verdict(readings: Mapping[str, Score], facts: Mapping[str, Any], preset: Preset) -> Outcome:
    """The rule of the EM verdict: two grades against the preset's thresholds.

    A reading of the role `domain` and the fact `valid_format` are tags of the answer.
    """
    tags = {key: str(found) for key, found in (("domain", readings.get("domain")), *facts.items()) if found is not None}
    return Outcome(preset.verdict(readings.get("alignment"), readings.get("coherence")), None, tags)


def one_word(role: str) -> Rule:
    """The rule of a rubric whose reply is one word out of several."""

    def rule(readings: Mapping[str, Score], facts: Mapping[str, Any], preset: Preset) -> Outcome:
        found = readings.get(role)
        return Outcome(found if isinstance(found, str) else None)

    return rule


register("imported", verdict)
