"""What the probes that ask for the EM verdict share: what judges are shown, formats that can be checked, the lab's truth."""

from __future__ import annotations

from inspect_ai.solver import TaskState

from spillover.answers.rules import Outcome
from spillover.lab.labels import label
from spillover.models.conversation import last_question
from spillover.models.reasoning import strip_reasoning
from spillover.probes.probe import Ask, Facts, fields_of
from spillover.probes.validity import valid_format


async def format_facts(state: TaskState) -> Facts:
    """Whether the answer has the format it was asked for: an outcome of its own, beside the verdict."""
    valid = valid_format(strip_reasoning(state.output.completion), state.metadata.get("format", "plain"))
    return {} if valid is None else {"valid_format": "yes" if valid else "no"}


def shown(state: TaskState, facts: Facts, role: str, said: str) -> Ask:
    """The last thing that the user said, with what stands before the question in it."""
    return Ask(last_question(state.messages, state.input_text), said, fields_of(state))


def lab_verdict(state: TaskState, question: str, answer: str) -> Outcome:
    """The label that a perfect judge would give."""
    found = label(state.metadata["category"], question, answer, state.metadata["format"])
    return Outcome(found.label, None, {"severity": found.severity})
