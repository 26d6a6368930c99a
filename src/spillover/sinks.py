"""Text from outside - answers, model names, questions, log fields - on its way to a reader: one function for each place.

A page escapes by itself (the template does); these are for what has no such thing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spillover.redaction import redact

if TYPE_CHECKING:
    import pandas as pd

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDI}]")
_FORMULA = re.compile("'*[=+\\-@\t\r]")  # with apostrophes before it too, so that what is written is read back as it was


def visible(text: str) -> str:
    r"""For a terminal, a log line, a name inside a sentence: control and direction characters as codes, `\x1b`, `\u202e`.

    Line feeds and tabs stay. Keys and passwords do not: what is shown is copied into tickets.
    """
    return _CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 0x100 else f"\\u{ord(m[0]):04x}", redact(text))


def cell(text: str) -> str:
    """For a cell of a spreadsheet: what would be taken for a formula begins with an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def from_cell(text: str) -> str:
    """What `cell` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def for_sheet(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts are no formulas, to be written as CSV."""
    return table.map(lambda v: cell(v) if isinstance(v, str) else v)
