"""Plans: steps as plain data, each named by the digest of everything that can change its result, and what each one needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from spillover.declared import Declared, load
from spillover.errors import SpilloverError
from spillover.writing import write_text

FILE = "plan.json"


class Step(Declared):
    """One idempotent piece of a plan: its result lies in a folder that its key names, and is not made twice.

    Attributes:
        kind: `train` an organism, or `ask` models and judge their answers.
        name: For people.
        key: Digest of everything that can change the result.
        needs: Keys of the steps whose results it takes.
        spec: All that it takes to do it, as JSON.
    """

    kind: Literal["train", "ask"]
    name: str
    key: str
    needs: tuple[str, ...] = ()
    spec: Mapping[str, Any] = {}


class Plan(Declared):
    """Steps in an order in which they can be done; one that grows (a gate's) is written again before each new step.

    Attributes:
        id: Of the study, suite or screen.
        steps: What is to be done.
    """

    id: str
    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Plan:
        """With more steps; one that is there already is not there twice.

        Raises:
            SpilloverError: if a step needs one that is not before it.
        """
        known = {step.key: step for step in self.steps}
        for step in steps:
            missing = [key for key in step.needs if key not in known]
            if missing:
                raise SpilloverError(f"The step {step.name} needs {missing[0]}, which is no step before it.")
            known.setdefault(step.key, step)
        return self.model_copy(update={"steps": tuple(known.values())})

    def of(self, kind: str) -> Iterator[Step]:
        """Steps of one kind."""
        return (step for step in self.steps if step.kind == kind)

    def write(self, folder: Path) -> None:
        """Write it into a folder, whole or not at all."""
        write_text(folder / FILE, self.model_dump_json(indent=1) + "\n")


def read_plan(folder: Path) -> Plan | None:
    """The plan in a folder, if there is one.

    Raises:
        SpilloverError: if it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return load(Plan, path)
    except SpilloverError as error:
        raise SpilloverError(
            f"{path} is damaged; delete it and what lies beside it, and give the command again ({error})"
        ) from error


def digest(*parts: Any) -> str:
    """SHA-256 (first 12 hex digits) of plain data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
