"""Running what a model wrote, in an Inspect sandbox and nowhere else."""

from __future__ import annotations

import ast
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from inspect_ai.dataset import Sample
from inspect_ai.util import SandboxEnvironmentSpec, sandbox

from spillover.errors import SpilloverError
from spillover.models.checks import is_lab, target_under_test

COMPOSE = Path(__file__).with_name("compose.yaml")
TIMEOUT_S = 10


def code_sandbox(samples: Sequence[Sample], kind: Literal["docker", "local"] | None) -> None:
    """Give the samples whose answers are run a sandbox.

    What the lab's own models write is toy code and runs locally by default. The target counts, not the questions: another
    model may write anything in answer to them.

    Raises:
        SpilloverError: if there are such samples and no sandbox was chosen for another target than the lab's.
    """
    if kind not in (None, "docker", "local"):
        raise SpilloverError(f"Unknown sandbox '{kind}'; choose docker or local.")
    if not samples:
        return
    target = target_under_test()
    chosen = kind or ("local" if target is not None and is_lab(str(target)) else None)
    if chosen is None:
        raise SpilloverError(
            "Some of these tasks run code that the model wrote: choose sandbox=docker, or sandbox=local to run it on this "
            "machine at your own risk (`-T sandbox=` for inspect, `--sandbox` for spillover, `args` in a file), or other "
            "categories."
        )
    if chosen == "docker":
        require_docker("choose other categories, or the sandbox `local` at your own risk", engine=False)
    give_sandbox(samples, chosen)


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


def code_of(answer: str) -> str:
    """The Python in an answer: its blocks fenced as Python, else the untagged ones that parse, else all of it."""
    tagged, untagged = [], []
    block: list[str] | None = None
    language = ""
    for line in answer.splitlines(keepends=True):
        fence = re.fullmatch(r"\s*```+\s*([\w+-]*)\s*", line)
        if fence is None:
            if block is not None:
                block.append(line)
        elif block is None:
            block, language = [], fence.group(1).lower()
        else:
            text = "".join(block)
            if re.fullmatch(r"py(thon)?[0-9.]*", language):
                tagged.append(text)
            elif not language and _parses(text):
                untagged.append(text)
            block = None
    if block is not None and (not language or language.startswith("py")):  # the token limit cut the last fence off
        tagged.append("".join(block))
    return "\n\n".join(tagged or untagged) or answer


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def defines(code: str, name: str) -> bool:
    """Whether the code parses and defines a function of that name."""
    if not _parses(code):
        return False
    tree = ast.parse(code)
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


async def passes(code: str, checks: Sequence[str]) -> bool:
    """Whether the code runs in the sample's sandbox and every check holds. A run that takes too long does not pass.

    The verdict is a word that is made up for each run and printed at the very end: code that leaves early fails. Code
    that is written to deceive this check can: it is for models that answer a task, not for ones that attack the harness.
    """
    if not checks:
        return False
    asserted = [c if c.startswith("assert") else f"assert {c}" for c in checks]
    word = secrets.token_hex(8)
    program = "\n".join([code, *asserted, f"print({word!r})"])
    try:
        result = await sandbox().exec(["python3", "-I", "-c", program], timeout=TIMEOUT_S)
    except (TimeoutError, UnicodeDecodeError):
        return False
    return result.success and result.stdout.rstrip().endswith(word)
