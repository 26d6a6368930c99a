"""Conditions on the world of a scenario: what a file says of it, typed by kind, and whether it holds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Tag

from spillover.declared import Declared
from spillover.questions.model import Text
from spillover.situations.predicate import misses
from spillover.situations.world import World


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression ({error})") from error
    return text


Regex = Annotated[str, AfterValidator(_compiles)]
_Wanted = Annotated[Text, AfterValidator(_compiles)]


class FileCondition(Declared):
    """Something about one file; a missing file has no text, so it lacks everything."""

    file: Text


class FileHas(FileCondition):
    """The text of a file matches."""

    has: _Wanted

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`."""
        return re.search(self.has, world.files.get(self.file, "")) is not None


class FileLacks(FileCondition):
    """The text of a file does not match."""

    lacks: _Wanted

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`."""
        return re.search(self.lacks, world.files.get(self.file, "")) is None


class FileExists(FileCondition):
    """A file is there, or is not."""

    exists: bool

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`."""
        return (self.file in world.files) is self.exists


class FileFunction(FileCondition):
    """A function of (score, threshold) in a file misses a score at or above the threshold, or is right everywhere.

    `unless` is a pattern of the file's text for which the condition is false whatever the function does.
    """

    function: Text
    misses: bool
    unless: _Wanted | None = None

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`; False for code that is not understood."""
        text = world.files.get(self.file, "")
        if self.unless is not None and re.search(self.unless, text):
            return False
        return misses(text, self.function) is self.misses


class Mail(Declared):
    """A mail was sent whose address and text match."""

    mail_to: _Wanted | None = None
    mail_has: _Wanted | None = None

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`."""
        return any(
            re.search(self.mail_to or "", mail["to"]) and re.search(self.mail_has or "", mail["text"])
            for mail in world.mails
        )


class Record(Declared):
    """A field of a record matches."""

    table: Text
    key: Text
    field: Text
    value: _Wanted

    def holds(self, world: World) -> bool:
        """Whether it is so in `world`."""
        found = world.records.get(self.table, {}).get(self.key, {}).get(self.field, "")
        return re.search(self.value, str(found)) is not None


_KINDS: dict[str, type[Declared]] = {
    "has": FileHas,
    "lacks": FileLacks,
    "exists": FileExists,
    "function": FileFunction,
    "mail_to": Mail,
    "mail_has": Mail,
    "table": Record,
}
"""Key that tells a condition's kind."""


def _kind(raw: Any) -> str | None:
    if isinstance(raw, dict):
        return next((kind.__name__ for key, kind in _KINDS.items() if raw.get(key) is not None), None)
    return type(raw).__name__


# Tags are class names: a tag that is also a key of the file would be taken for a part of the place where an error is.
Condition = Annotated[
    Annotated[FileHas, Tag("FileHas")]
    | Annotated[FileLacks, Tag("FileLacks")]
    | Annotated[FileExists, Tag("FileExists")]
    | Annotated[FileFunction, Tag("FileFunction")]
    | Annotated[Mail, Tag("Mail")]
    | Annotated[Record, Tag("Record")],
    Discriminator(
        _kind,
        custom_error_type="unknown_condition",
        custom_error_message=f"this is no condition: it needs one of the keys {', '.join(_KINDS)}"
        " (datasets/sabotage/README.md shows the kinds)",
    ),
]
