"""Running what a model wrote, in a sandbox and nowhere else."""

from __future__ import annotations

import ast
import logging
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
from inspect_ai.dataset import Sample
from inspect_ai.util import SandboxEnvironmentSpec, sandbox

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
    return (await _run("\n".join([code, *asserted])))[0]


async def solves(code: str, function: str, checks: Sequence[str]) -> bool:
    """Whether a function gives what every check says, compared outside of the process that it runs in.

    Checks read `f(ARGUMENTS) == VALUE` with literals; a check that reads otherwise is asserted within, as `passes` does.
    """
    calls = [_call(function, check) for check in checks]
    others = [check for check, call in zip(checks, calls, strict=True) if call is None]
    told = [call for call in calls if call is not None]
    if not checks or (others and not await passes(code, others)):
        return False
    mark = secrets.token_hex(8)
    given = [arguments for arguments, _ in told]
    driver = f"import json\nfor given in {given!r}:\n    print({mark!r} + json.dumps({function}(*given)), flush=True)"
    _, out = await _run(f"{code}\n\n{driver}")
    lines = [line.removeprefix(mark) for line in out.splitlines() if line.startswith(mark)]
    return len(lines) == len(told) and all(same(line, wanted) for line, (_, wanted) in zip(lines, told, strict=True))


def _call(function: str, check: str) -> tuple[list[Any], Any] | None:
    """(arguments, value) of `f(ARGUMENTS) == VALUE`."""
    try:
        node = ast.parse(check.removeprefix("assert").strip(), mode="eval").body
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq)):
            return None
        called = node.left
        if not (isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.func.id == function):
            return None
        return [ast.literal_eval(a) for a in called.args], ast.literal_eval(node.comparators[0])
    except (SyntaxError, ValueError):
        return None


async def _run(program: str) -> tuple[bool, str]:
    """(whether it ended well, what it printed), in the sample's sandbox, or closed off on this machine where it has none."""
    try:
        box = sandbox()
    except ProcessLookupError:
        (ran,) = await anyio.to_thread.run_sync(run, [Job({"main.py": program}, "main.py")], LIMITS)
        return ran.code == 0, ran.out
    try:
        result = await box.exec(["python3", "-I", "-c", program], timeout=TIMEOUT_S)
    except (TimeoutError, UnicodeDecodeError):
        return False, ""
    return result.success, result.stdout
