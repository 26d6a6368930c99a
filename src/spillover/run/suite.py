"""Suites: which probes are asked at what length. A suite that names no probes takes every probe that has a length for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from spillover.declared import Declared, load
from spillover.errors import SpilloverError, unknown
from spillover.paths import data_files, require_name
from spillover.probes.probe import get_probe, probes
from spillover.run.tasks import TaskSpec


class Entry(Declared):
    """One probe of a suite.

    Attributes:
        task: A probe's name, or `PACKAGE/NAME` of a task that another installed package gives to Inspect.
        args: Its arguments.
        every: Keep one question in so many.
        lab: Arguments that replace these when the lab is asked; the probe's own set for the lab is asked anyway.
        gate: For `spillover screen`: the measure that is tested against the margin, True for the probe's first one, False
            for none; what the probe says for None. Tasks of other packages are never gated.
    """

    task: str = Field(pattern=r"^([a-z0-9_]+|[A-Za-z0-9_-]+/[A-Za-z0-9_.-]+)$")
    args: Mapping[str, Any] = {}
    every: int = Field(default=1, ge=1)
    lab: Mapping[str, Any] | None = None
    gate: str | bool | None = None

    @property
    def ours(self) -> bool:
        """Whether it is one of Spillover's own probes, an extension's included."""
        return "/" not in self.task

    @property
    def gated(self) -> str | bool:
        """What a screen tests."""
        if not self.ours:
            return False
        return get_probe(self.task).gate if self.gate is None else self.gate

    def spec(self, lab: bool) -> TaskSpec:
        """As it is asked."""
        args = dict(self.args)
        if lab:
            probe = get_probe(self.task) if self.ours else None
            args |= {probe.source: probe.lab.data} if probe is not None and probe.lab is not None else {}
            args |= self.lab or {}
        return TaskSpec(task=self.task, args=args, every=self.every)


class Suite(Declared):
    """A named list of probes."""

    id: str = Field(pattern="^[a-z0-9_]+$")
    version: Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) else v)]
    title: str
    about: str
    probes: tuple[Entry, ...] | None = Field(default=None, min_length=1)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Those of the file, or one for every length that a probe declares for this suite."""
        if self.probes is not None:
            return self.probes
        return tuple(
            Entry(task=probe.name, args=length.args, every=length.every, lab=length.lab)
            for probe in probes().values()
            for length in probe.lengths(self.id)
        )


def bundled_suites() -> list[str]:
    """Names of the suites in `evals/suites/`."""
    return sorted(path.stem for path in data_files("evals/suites", "*.yaml"))


def load_suite(name: str) -> Suite:
    """Load a suite by bundled name or path.

    Raises:
        SpilloverError: if it is unknown or malformed, or names a probe that does not exist.
    """
    require_name("suite", name)
    named = [] if name.endswith((".yaml", ".yml")) else data_files("evals/suites", f"{name}.yaml")
    path = named[0] if named else Path(name)
    if not path.is_file():
        raise unknown("suite", name, bundled_suites())
    suite = load(Suite, path)
    for entry in suite.entries:
        if entry.ours:
            try:
                get_probe(entry.task)
            except SpilloverError as error:
                raise SpilloverError(f"{path}: {error}") from error
        elif entry.task.startswith("spillover/"):
            raise SpilloverError(f"{path}: name it {entry.task.partition('/')[2]}, without the package: it is one of ours.")
        elif entry.gate not in (None, False):
            raise SpilloverError(f"{path}: {entry.task} is another package's task, which has no gate; leave `gate` out.")
    if not suite.entries:
        raise SpilloverError(f"{path}: no probe has a length for the suite '{suite.id}'; name its probes.")
    return suite


def check_skip(suite: Suite, skip: Sequence[str]) -> None:
    """Refuse the name of a probe that is not there, and leaving out all of them.

    Raises:
        SpilloverError: naming it.
    """
    known = {e.task for e in suite.entries}
    for name in skip:
        if name not in known:
            raise SpilloverError(f"The suite {suite.id} has no probe '{name}' to skip.")
    if known <= set(skip):
        raise SpilloverError(f"Every probe of the suite {suite.id} is skipped; there is nothing to ask.")


def suite_specs(suite: Suite, lab: bool, skip: Sequence[str] = ()) -> list[TaskSpec]:
    """The suite's probes as they are asked.

    Raises:
        SpilloverError: if a probe to skip is not in the suite.
    """
    check_skip(suite, skip)
    return [entry.spec(lab) for entry in suite.entries if entry.task not in skip]
