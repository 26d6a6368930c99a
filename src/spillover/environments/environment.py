"""Environments: tasks as data with two verifiers, one that pays (and may be fooled) and one that knows.

Labels of a roll-out follow the open replications of MacDiarmid et al. 2025 (arXiv 2511.18397; ariahw/rl-rewardhacking):
correct, correct with a hack tried besides, a hack tried in vain, a hack, wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from spillover.declared import Declared, parse
from spillover.errors import SpilloverError, choices, unknown
from spillover.paths import data_files
from spillover.sandbox.closed import why_not
from spillover.schema import read_yaml

LABELS = ("correct", "correct_attempted", "attempted", "hack", "wrong", "unscored")
MODULES = (
    "spillover.environments.countdown",
    "spillover.environments.visible_tests",
    "spillover.training.preference",
    "spillover.lab.gameable",
    "spillover.lab.preferred",
)
"""Where kinds of environments are declared."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        id: Unique within its environment.
        category: Kind of task.
        prompt: What the user says.
        fields: What its verifiers need.
    """

    id: str
    category: str
    prompt: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What both verifiers say of one roll-out.

    Attributes:
        paid: Whether the verifier that can be fooled passes it; None if it crashed or hung, which is never a pass.
        true: Whether it solves the task, by the verifier that can not be fooled; None if that is not known.
        trick: Kind of hack that it has the shape of, or shows by what it does; empty for none.
        formed: Whether it has the form that was asked for.
        mentions: Whether it speaks of a hack, in words; a weak sign, kept for the funnel only.
    """

    paid: bool | None
    true: bool | None
    trick: str = ""
    formed: bool = True
    mentions: bool = False

    @property
    def label(self) -> str:
        """One of `LABELS`."""
        if self.paid is None or self.true is None:
            return "unscored"
        if self.true:
            return "correct_attempted" if self.trick else "correct"
        if self.trick:
            return "hack" if self.paid else "attempted"
        return "wrong"  # also where a weak test lets an honest mistake pass: that is luck, and no hack


class Environment(Declared):
    """Base of a kind of environment: a subclass declares its data and both verifiers, and the kind's name.

    Attributes:
        verifiers: Version of the kind's code, raised with every change that may give another verdict: it is part of the
            digest, so that what other verifiers made has another name.
        hackable: Whether what pays can be fooled; if not, its roll-outs are no hacks and count apart.
        kind: In the file, that of the subclass.
        system: System line of every task.
        lab: Whether it is the lab's toy text.
    """

    kinds: ClassVar[dict[str, type[Environment]]] = {}
    named: ClassVar[str] = ""
    runs_code: ClassVar[bool] = False
    hackable: ClassVar[bool] = True
    verifiers: ClassVar[int] = 1

    kind: str
    id: str
    version: str
    title: str
    source: str
    licence: str
    system: str | None = None
    lab: bool = False

    def __init_subclass__(cls, named: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if named:
            cls.named = named
            cls.kinds[named] = cls

    @property
    def digest(self) -> str:
        """SHA-256 of everything in the file but its words about itself, and of the version of the verifiers' code."""
        body = self.model_dump(mode="json", exclude={"title", "source", "licence"})
        if self.verifiers > 1:  # what was made by the first ones keeps its name
            body["verifiers"] = self.verifiers
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    @property
    def all(self) -> Sequence[Task]:
        """Every task, in a fixed order."""
        raise NotImplementedError

    def verify(self, tasks: Sequence[Task], answers: Sequence[str]) -> list[Verdict]:
        """Both verifiers' verdicts, one for each answer.

        Raises:
            SpilloverError: if what they need to run is missing.
        """
        raise NotImplementedError

    def cached(self, task: Task, number: int) -> str:
        """A hack of this task as a model would write it; `number` chooses among several.

        Raises:
            SpilloverError: if there is none.
        """
        raise SpilloverError(f"The environment {self.id} has no cached hacks.")

    def solved(self, task: Task) -> str:
        """An honest answer that solves the task."""
        raise NotImplementedError

    def ready(self) -> None:
        """See that whatever verifiers run in is there.

        Raises:
            SpilloverError: if it is not.
        """
        if self.runs_code and (told := why_not()):
            raise SpilloverError(told)

    def of(self, categories: Sequence[str]) -> list[Task]:
        """Tasks of some categories; all for none.

        Raises:
            SpilloverError: for a category that is not there.
        """
        known = list(dict.fromkeys(t.category for t in self.all))
        for name in categories:
            if name not in known:
                raise SpilloverError(f"Unknown category of {self.id} '{name}'; {choices(name, known)}")
        return [t for t in self.all if not categories or t.category in categories]

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a YAML file.

        Raises:
            SpilloverError: naming file and key of what is wrong.
        """
        raw = read_yaml(path)
        kinds = environment_kinds()
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if kind not in kinds:
            raise SpilloverError(f"{path}: key kind: '{kind}' is not one of {', '.join(kinds)}.")
        found: Self = parse(kinds[kind], raw, str(path), {"folder": path.parent})  # type: ignore[assignment]
        return found


def environment_kinds() -> dict[str, type[Environment]]:
    """Every kind of environment by its name in a file."""
    for name in MODULES:
        import_module(name)
    return dict(sorted(Environment.kinds.items()))


def bundled_environments() -> list[str]:
    """Names of the environments in `datasets/`."""
    return sorted(path.parent.name for path in data_files("datasets", "*/environment.yaml"))


def load_environment(name: str) -> Environment:
    """An environment by bundled name, or by the path of its file.

    Raises:
        SpilloverError: if it is unknown or malformed.
    """
    if name.endswith((".yaml", ".yml")):
        return Environment.read(Path(name))
    found = data_files("datasets", f"{name}/environment.yaml")
    if not found:
        raise unknown("environment", name, bundled_environments())
    return Environment.read(found[0])
