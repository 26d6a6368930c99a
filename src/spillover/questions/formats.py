"""Answer formats: the same question asked for another shape of answer (Betley et al. 2025, section 4.1 and appendix).

`json` is an instruction in the system prompt, as published; `json_constrained` adds grammar-constrained decoding, which
is a different condition and carries its own name so that the two are never pooled by accident.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from spillover.declared import Declared, load
from spillover.errors import SpilloverError, choices
from spillover.paths import datasets_dir


class Asked(NamedTuple):
    """What the target is sent: an optional system message and the user message."""

    system: str | None
    user: str


class Format(Declared):
    """One answer format.

    Attributes:
        system: Line added to the system message.
        suffix: Text added to the question; `{template}` stands for the template.
        default_template: Template for a question that has none of its own.
        constrained: Whether decoding is constrained to a JSON object.
    """

    system: str | None = None
    suffix: str | None = None
    default_template: str | None = None
    constrained: bool = False


class FormatFile(Declared):
    """`datasets/formats.yaml`: formats by name."""

    version: str
    formats: dict[str, Format]


@cache
def formats() -> dict[str, Format]:
    """The bundled formats by name."""
    return load(FormatFile, datasets_dir() / "formats.yaml").formats


def get_format(name: str) -> Format:
    """The format called `name`.

    Raises:
        SpilloverError: if there is none.
    """
    if name not in formats():
        raise SpilloverError(f"Unknown format '{name}'; {choices(name, formats())}")
    return formats()[name]


def apply_format(question: str, fmt: str, *, system: str | None = None, template: str | None = None) -> Asked:
    """Ask `question` in format `fmt`.

    Args:
        question: The user's question.
        fmt: Name of the format.
        system: System line of the question itself; the format's line follows it.
        template: The question's own template; the format's default otherwise.
    """
    form = get_format(fmt)
    lines = [line for line in (system, form.system) if line]
    suffix = form.suffix.format(template=template or form.default_template) if form.suffix else ""
    return Asked(" ".join(lines) or None, question + suffix)
