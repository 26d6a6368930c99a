"""The one builder of tasks, for studies, suites and gates; and what their results depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextvars import Context
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from inspect_ai import Task
from inspect_ai.util import registry_create

from spillover.declared import Declared
from spillover.errors import SpilloverError
from spillover.paths import data_files, datasets_dir
from spillover.probes.build import RUBRIC_NAMES, takes
from spillover.probes.probe import get_probe

SCREENED_AS = "screened_as"
"""Key of a log's metadata: the name of the probe in a screen."""


class TaskSpec(Declared):
    """One task, as plain data.

    Attributes:
        task: A probe's name, or `PACKAGE/NAME` of another package's Inspect task.
        args: Its arguments.
        every: Keep one question in so many.
        where: Keep only samples with these tags.
        label: Name under which a screen reads its answers.
    """

    task: str
    args: Mapping[str, Any] = {}
    every: int = 1
    where: Mapping[str, str] = {}
    label: str | None = None

    def given(self, **arguments: Any) -> TaskSpec:
        """With more arguments, where they are not None and the probe takes them; what is there already is replaced."""
        if "/" in self.task:
            return self
        build = _builder(self.task)
        more = {k: v for k, v in arguments.items() if v is not None and takes(build, k)}
        return self.model_copy(update={"args": {**self.args, **more}})

    def build(self) -> Task:
        """The task.

        Raises:
            SpilloverError: for an unknown task, an argument that it does not take, or whatever else it refuses.
        """
        # Inspect leaves a run's model and roles behind: a task for other models must not be fitted to those.
        return Context().run(self._built)

    def _built(self) -> Task:
        if "/" in self.task:
            others = _others_task(self.task, dict(self.args))
            if self.every > 1:
                others.dataset = others.dataset[:: self.every]  # its samples may have no names yet
            return others
        task: Task = _builder(self.task)(**self.args)
        if self.every > 1:
            units = list(dict.fromkeys((s.metadata or {})["question_id"] for s in task.dataset))
            kept = set(units[:: self.every])
            task.dataset = task.dataset.filter(lambda s: (s.metadata or {})["question_id"] in kept)
        if self.where:
            task.dataset = task.dataset.filter(lambda s: _fits(s.metadata or {}, self.where))
        if self.label is not None:
            task.metadata = {**(task.metadata or {}), SCREENED_AS: self.label}
        return task


def _fits(metadata: Mapping[str, Any], where: Mapping[str, str]) -> bool:
    tags = {**metadata.get("tags", {}), "category": metadata.get("category")}
    return all(tags.get(k) == v for k, v in where.items())


def _builder(name: str) -> Any:
    get_probe(name)
    return getattr(import_module(f"spillover.tasks.{name}"), name)


def _others_task(name: str, args: dict[str, Any]) -> Task:
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


def data_digest() -> str:
    """SHA-256 of the bundled data that questions and judges are made of, besides the question sets themselves."""
    digest = hashlib.sha256()
    own = [datasets_dir() / name for name in ("formats.yaml", "wraps.yaml", "lab/grammar.yaml")]
    for path in (*own, *data_files("scorers", "*.yaml")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def identity(tasks: Sequence[Task], specs: Sequence[TaskSpec]) -> list[Any]:
    """Everything that can change what these tasks find, besides the models: for a step's key."""
    about = [
        [
            t.name,
            t.version,
            {k: v for k, v in (t.metadata or {}).items() if k != RUBRIC_NAMES},
            str(t.epochs),
            sorted(str(s.id) for s in t.dataset),
        ]
        for t in tasks
    ]
    others = [_version(s.task) for s in specs if "/" in s.task]
    return [about, [s.model_dump() for s in specs], others, data_digest()]


def _version(task: str) -> str | None:
    """Of the package that another one's task is from; None for one that nobody installed as such."""
    try:
        return version(task.partition("/")[0])
    except PackageNotFoundError:
        return None
