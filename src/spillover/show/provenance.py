"""Where the figures of a page come from, and what asks the same again."""

from __future__ import annotations

from collections.abc import Sequence

from spillover.answers.commands import commands
from spillover.answers.read import Answers
from spillover.answers.table import words

AGAIN = 12
"""Commands that a page names."""


def provenance(answers: Answers, version: str) -> dict[str, str]:
    """Where the figures come from, for the foot of a page."""
    sources = words(answers.table["source"])
    more = f" and {len(sources) - 12} more" if len(sources) > 12 else ""
    return {
        "Spillover": version,
        "answers": str(len(answers.table)),
        "preset": f"{answers.preset.name} ({answers.preset.title})",
        "graders": ", ".join(sorted(words(answers.table["grader"]))) or "not recorded",
        "sources": ", ".join(sources[:12]) + more,
        **({"left out": "; ".join(answers.left_out)} if answers.left_out else {}),
        **({"asked again by": _again(commands(answers.logs))} if answers.logs else {}),
    }


def _again(found: Sequence[str]) -> str:
    rest = f"\n… and {len(found) - AGAIN} more" if len(found) > AGAIN else ""
    return "\n".join(found[:AGAIN]) + rest
