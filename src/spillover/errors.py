"""The one error type a user is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
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


def choices(name: str, known: Iterable[str]) -> str:
    """What could be said instead of an unknown name: those that look like it, or else all."""
    names = [str(n) for n in known]
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.75)  # a name from a command line may be a number
    return f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(names)}."


def unknown(what: str, name: str, known: Iterable[str]) -> SpilloverError:
    """A name that is none, or a path at which there is nothing, or nothing of the kind."""
    if name.endswith(FILES) or "/" in name or Path(name).is_file():
        if not Path(name).exists():
            return SpilloverError(f"There is no {what} at {name}.")
        return SpilloverError(f"{name} is no {what}: a {what} is a YAML file.")
    said = choices(name, known)
    said = f"{said[:-1]} or give a YAML file." if said.endswith(".") else said
    return SpilloverError(f"Unknown {what} '{name}'; {said}")


def plain(error: Exception) -> str:
    """What an error says, on one line and without the terminal markup of Inspect's own."""
    text = Text.from_markup(str(error.message)).plain if isinstance(error, PrerequisiteError) else str(error)
    return " ".join(text.split()).removeprefix("ERROR: ")
