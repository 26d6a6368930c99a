"""The one error type a user is meant to read."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.text import Text

from spillover._inspect import PrerequisiteError


class SpilloverError(PrerequisiteError):
    """Bad input, said in one sentence that tells what to do.

    A subclass of Inspect's `PrerequisiteError`, so that `inspect eval` prints the sentence and exits with 1 instead
    of showing a traceback.
    """

    def __init__(self, message: str) -> None:
        self.text = message
        super().__init__(escape(message))

    def __str__(self) -> str:
        return self.text


FILES = (".yaml", ".yml", ".csv", ".tsv", ".json", ".jsonl")


def unknown(what: str, name: str, known: str) -> SpilloverError:
    """A name that is none, or a path at which there is nothing, or nothing of the kind."""
    if name.endswith(FILES) or "/" in name:
        if not Path(name).exists():
            return SpilloverError(f"There is no {what} at {name}.")
        return SpilloverError(f"{name} is no {what}; that is a YAML file.")
    return SpilloverError(f"Unknown {what} '{name}'; choose from {known} or give a YAML file.")


def plain(error: Exception) -> str:
    """What an error says, on one line and without the terminal markup of Inspect's own."""
    text = Text.from_markup(str(error.message)).plain if isinstance(error, PrerequisiteError) else str(error)
    return " ".join(text.split()).removeprefix("ERROR: ")
