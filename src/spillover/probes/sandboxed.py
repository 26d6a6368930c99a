"""Running what a model wrote, in a sandbox and nowhere else."""

from __future__ import annotations

import ast
import asyncio
import logging
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from inspect_ai.dataset import Sample
from inspect_ai.util import SandboxEnvironment, SandboxEnvironmentSpec, sandbox

from spillover.environments.code import same
from spillover.errors import SpilloverError
from spillover.models.checks import is_lab, target_under_test
from spillover.sandbox.closed import Job, Limits, run, why_not

logger = logging.getLogger(__name__)

COMPOSE = Path(__file__).with_name("compose.yaml")
TIMEOUT_S = 10
LIMITS = Limits(seconds=TIMEOUT_S)


def code_sandbox(
    samples: Sequence[Sample], runs: Callable[[Sample], bool], kind: Literal["docker", "local"] | None
) -> list[Sample]:
    """The samples, with a sandbox for those whose answers are run.

    `local` is the closed sandbox of this machine (`spillover.sandbox.closed`), the default for the lab's own models. The
    target counts, not the questions: another model may write anything in answer to them.

    Args:
        samples: All of a task.
        runs: Whether answers to a sample are run.
        kind: What was chosen.

    Raises:
        SpilloverError: if there are such samples and no sandbox was chosen for another target than the lab's, or this
            machine does not have the one that was. For the lab's models they are left out instead, with a warning.
    """
    if kind not in (None, "docker", "local"):
        raise SpilloverError(f"Unknown sandbox '{kind}'; choose docker or local.")
    run = [s for s in samples if runs(s)]
    if not run:
        return list(samples)
    target = target_under_test()
    lab = target is not None and is_lab(str(target))
    chosen = kind or ("local" if lab else None)
    if chosen is None:
        raise SpilloverError(
            "Some of these tasks run code that the model wrote: choose sandbox=docker, or sandbox=local for the closed "
            "sandbox of this machine (Linux; `-T sandbox=` for inspect, `--sandbox` for spillover, `args` in a file), or "
            "other categories."
        )
    if chosen == "docker":
        require_docker("choose other categories, or the sandbox `local`", engine=False)
        give_sandbox(run, chosen)
    elif told := why_not():
        if not lab:
            raise SpilloverError(told)
        logger.warning("%d tasks that run code are left out: %s", len(run), told)
        return [s for s in samples if not runs(s)]
    return list(samples)


def give_sandbox(samples: Sequence[Sample], kind: str) -> None:
    """Inspect's `local` sandbox, or a container without network."""
    for sample in samples:
        sample.sandbox = SandboxEnvironmentSpec(kind, str(COMPOSE) if kind == "docker" else None)


def require_docker(otherwise: str, engine: bool = True) -> None:
    """Refuse to begin what Docker would have to run.

    Args:
        otherwise: What else can be done.
        engine: Whether to see that an engine answers, too. A suite's tasks are built before its models are looked at, whose
            faults are to be named first; Inspect looks for the engine before it asks anything.

    Raises:
        SpilloverError: if there is no `docker` command, or no engine that answers it; with what else can be done.
    """
    if shutil.which("docker") is None:
        raise SpilloverError(f"This needs the `docker` command, which is not installed; {otherwise}.")
    if not engine:
        return
    try:
        answered = subprocess.run(["docker", "version"], capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        answered = False
    if not answered:
        raise SpilloverError(f"Docker is installed and its engine does not answer; start it, or {otherwise}.")


async def passes(code: str, checks: Sequence[str]) -> bool:
    """Whether the code runs and every check holds, in one process: what tests that can be fooled say.

    A run that takes too long does not pass.
    """
    if not checks:
        return False
    asserted = [c if c.startswith("assert") else f"assert {c}" for c in checks]
    return await _run("\n".join([code, *asserted]))


async def solves(code: str, function: str, checks: Sequence[str]) -> bool:
    """Whether a function gives what every check says, compared outside of the process that it runs in."""
    calls = [call_of(function, check) for check in checks]
    if not checks:
        return False
    given = [(places, names) for places, names, _ in calls]
    box = _box()
    if box is None:
        job = Job({"solution.py": code}, "solution.py", "calls", function, given)
        (ran,) = await asyncio.to_thread(run, [job], LIMITS)
        lines = ran.result.splitlines()
    else:
        mark = secrets.token_hex(8)  # what the code prints itself is no result
        driver = f"for a, n in {given!r}:\n    print('\\n' + {mark!r} + json.dumps({function}(*a, **n)), flush=True)"
        _, out = await _executed(box, f"{code}\n\nimport json\n{driver}")
        lines = [line.removeprefix(mark) for line in out.splitlines() if line.startswith(mark)]
    return len(lines) == len(calls) and all(same(line, wanted) for line, (*_, wanted) in zip(lines, calls, strict=True))


def call_of(function: str, check: str) -> tuple[list[Any], dict[str, Any], Any]:
    """(arguments by place, by name, value) of a check that reads `f(ARGUMENTS) == VALUE`, with literals.

    Raises:
        SpilloverError: for one that reads otherwise: it would have to be believed in the process of what it checks.
    """
    told = SpilloverError(f"The check '{check}' does not read {function}(ARGUMENTS) == VALUE, with literals.")
    try:
        node = ast.parse(check.removeprefix("assert").strip(), mode="eval").body
        if not (isinstance(node, ast.Compare) and isinstance(node.left, ast.Call) and isinstance(node.left.func, ast.Name)):
            raise told
        if [type(o) for o in node.ops] != [ast.Eq] or node.left.func.id != function:
            raise told
        names = {str(k.arg): ast.literal_eval(k.value) for k in node.left.keywords}
        return [ast.literal_eval(a) for a in node.left.args], names, ast.literal_eval(node.comparators[0])
    except (SyntaxError, ValueError) as error:
        raise told from error


def _box() -> SandboxEnvironment | None:
    """The sample's container, or None. Inspect's own `local` is this machine with all its keys, and so is none."""
    try:
        box = sandbox()
    except ProcessLookupError:
        return None
    return None if type(getattr(box, "_sandbox", box)).__name__.startswith("Local") else box


async def _run(program: str) -> bool:
    """Whether a program ends well, in the sample's container, or closed off on this machine where it has none."""
    box = _box()
    if box is None:
        (ran,) = await asyncio.to_thread(run, [Job({"main.py": program}, "main.py")], LIMITS)
        return ran.code == 0
    return (await _executed(box, program))[0]


async def _executed(box: SandboxEnvironment, program: str) -> tuple[bool, str]:
    try:
        result = await box.exec(["python3", "-I", "-c", program], timeout=TIMEOUT_S)
    except (TimeoutError, UnicodeDecodeError):
        return False, ""
    return result.success, result.stdout
