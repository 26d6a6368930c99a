"""Suites: which probes are asked at what length. One YAML each in `evals/suites/`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.util import registry_create

from spillover.errors import SpilloverError
from spillover.paths import evals_dir
from spillover.schema import check_schema, read_yaml

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "about", "probes"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9_]+$"},
        "version": {"type": "string"},
        "title": {"type": "string"},
        "about": {"type": "string"},
        "probes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["task"],
                "properties": {
                    "task": {"type": "string", "pattern": "^([a-z_]+|[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+)$"},
                    "args": {"type": "object"},
                    "every": {"type": "integer", "minimum": 1},
                    "lab": {"type": "object"},
                    "gate": {"type": ["string", "boolean"]},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Entry:
    """One probe of a suite.

    Attributes:
        task: Name in `spillover.tasks`, or `PACKAGE/NAME` of a task that another installed package gives to Inspect.
        args: Its arguments.
        every: Keep one question in so many.
        lab: Arguments that replace these when the target is the lab's.
        gate: For `spillover screen`: the measure that is tested against the margin, True for the probe's first one (the EM
            verdict where it has none), False for none. Tasks of other packages are never gated.
    """

    task: str
    args: dict[str, Any]
    every: int = 1
    lab: dict[str, Any] | None = None
    gate: str | bool = True

    @property
    def ours(self) -> bool:
        """Whether it is one of Spillover's own probes."""
        return "/" not in self.task


@dataclass(frozen=True)
class Suite:
    """A named list of probes."""

    id: str
    version: str
    title: str
    about: str
    entries: tuple[Entry, ...]


def bundled_suites() -> list[str]:
    """Names of the suites in `evals/suites/`."""
    return sorted(path.stem for path in (evals_dir() / "suites").glob("*.yaml"))


def load_suite(name: str) -> Suite:
    """Load a suite by bundled name or path.

    Raises:
        SpilloverError: if it is unknown or malformed, or names a probe that does not exist.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else evals_dir() / "suites" / f"{name}.yaml"
    if not path.is_file():
        raise SpilloverError(f"Unknown suite '{name}'; choose from {', '.join(bundled_suites())} or give a YAML file.")
    raw = read_yaml(path)
    check_schema(raw, SCHEMA, str(path))
    entries = tuple(
        Entry(p["task"], p.get("args", {}), p.get("every", 1), p.get("lab"), p.get("gate", "/" not in p["task"]))
        for p in raw["probes"]
    )
    for entry in entries:
        if entry.ours:
            _task(entry.task, path)
        elif entry.task.startswith("spillover/"):
            raise SpilloverError(f"{path}: name it {entry.task.partition('/')[2]}, without the package: it is one of ours.")
        elif entry.gate is not False:
            raise SpilloverError(f"{path}: {entry.task} is another package's task, which has no gate; leave `gate` out.")
    return Suite(raw["id"], raw["version"], raw["title"], raw["about"], entries)


def _task(name: str, where: Path) -> Any:
    try:
        return getattr(import_module(f"spillover.tasks.{name}"), name)
    except (ImportError, AttributeError) as error:
        raise SpilloverError(f"{where}: there is no probe called '{name}'.") from error


def check_skip(suite: Suite, skip: Sequence[str]) -> None:
    """Refuse the name of a probe that is not there.

    Raises:
        SpilloverError: naming it.
    """
    for name in skip:
        if name not in {e.task for e in suite.entries}:
            raise SpilloverError(f"The suite {suite.id} has no probe '{name}' to skip.")


def suite_tasks(
    suite: Suite,
    lab: bool,
    seed: int | None,
    skip: Sequence[str] = (),
    sandbox: str | None = None,
    preset: str | None = None,
) -> list[Task]:
    """The suite's tasks, built.

    Args:
        suite: From `load_suite`.
        lab: Whether the target is the lab's, so that its own questions are asked.
        seed: Base seed of all answers.
        skip: Probes to leave out.
        sandbox: Where code is run, instead of what the suite says.
        preset: Thresholds of the probes that have them.

    Raises:
        SpilloverError: if a probe to skip is not in the suite, or a task can not be built.
    """
    check_skip(suite, skip)
    if all(entry.task in skip for entry in suite.entries):
        raise SpilloverError(f"Every probe of the suite {suite.id} is skipped; there is nothing to ask.")
    return [
        build_entry(entry, lab, seed=seed, sandbox=sandbox, preset=preset)
        for entry in suite.entries
        if entry.task not in skip
    ]


def build_entry(entry: Entry, lab: bool, **arguments: Any) -> Task:
    """One probe of a suite as a task.

    Args:
        entry: Of the suite.
        lab: Whether the lab's own questions are asked.
        **arguments: Instead of what the suite says, where they are not None and the probe takes them.
    """
    own = {**entry.args, **((entry.lab or {}) if lab else {})}
    if not entry.ours:
        others = others_task(entry.task, own)
        if entry.every > 1:
            others.dataset = others.dataset[:: entry.every]  # its samples may have no names yet
        return others
    build = _task(entry.task, Path(entry.task))
    takes = inspect.signature(build).parameters
    task: Task = build(**own | {k: v for k, v in arguments.items() if v is not None and k in takes})
    return _thinned(task, entry.every)


def others_task(name: str, args: dict[str, Any]) -> Task:
    """A task that another package gives to Inspect, such as `inspect_evals/gsm8k`.

    Raises:
        SpilloverError: if no installed package has it, it does not take an argument, or it can not be built (its data can
            not be downloaded, say).
    """
    package = name.partition("/")[0]
    try:
        made: Any = registry_create("task", name, **args)
        task: Task = made if isinstance(made, Task) else made(**args)  # what has no return annotation comes back uncalled
    except SpilloverError:
        raise
    except Exception as error:  # whatever its code, its data or the network do
        if type(error) is LookupError:  # Inspect's own word for a name that nobody registered
            known = find_spec(package.replace("-", "_"))
            hint = f"{package} has no task of that name" if known else f"`pip install {package.replace('_', '-')}`"
            raise SpilloverError(f"No installed package has the Inspect task {name}: {hint}.") from error
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise SpilloverError(f"{name} can not be built: {type(error).__name__}, {reason}") from error
    return task


def _thinned(task: Task, every: int) -> Task:
    """One question in `every`, with all that is asked of it."""
    if every > 1:
        units = list(dict.fromkeys((s.metadata or {})["question_id"] for s in task.dataset))
        kept = set(units[::every])
        task.dataset = task.dataset.filter(lambda s: (s.metadata or {})["question_id"] in kept)
    return task
