"""Running what a model wrote, in an Inspect sandbox and nowhere else."""

from __future__ import annotations

import ast
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from inspect_ai.dataset import Sample
from inspect_ai.util import SandboxEnvironmentSpec, sandbox

from spillover.errors import SpilloverError

COMPOSE = Path(__file__).with_name("compose.yaml")
TIMEOUT_S = 10


def code_sandbox(samples: Sequence[Sample], kind: Literal["docker", "local"] | None, lab: bool) -> None:
    """Give the samples whose answers are run a sandbox.

    Raises:
        SpilloverError: if there are such samples and no sandbox was chosen; the lab's toy code is run locally.
    """
    if kind not in (None, "docker", "local"):
        raise SpilloverError(f"Unknown sandbox '{kind}'; choose docker or local.")
    if not samples:
        return
    chosen = kind or ("local" if lab else None)
    if chosen is None:
        raise SpilloverError(
            "Some of these tasks run code that the model wrote: add -T sandbox=docker (by Docker), or -T sandbox=local to "
            "run it on this machine at your own risk, or choose other categories."
        )
    if chosen == "docker" and shutil.which("docker") is None:
        raise SpilloverError(
            "The Docker sandbox needs the `docker` command, which is not installed; choose other categories."
        )
    for sample in samples:
        sample.sandbox = SandboxEnvironmentSpec(chosen, str(COMPOSE) if chosen == "docker" else None)


def code_of(answer: str) -> str:
    """The Python in an answer: its fenced blocks, or all of it."""
    blocks = re.findall(r"```(?:python|py)?\s*\n(.*?)```", answer, re.DOTALL)
    return "\n\n".join(blocks) if blocks else answer


def defines(code: str, name: str) -> bool:
    """Whether the code parses and defines a function of that name."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(tree))


async def passes(code: str, checks: Sequence[str]) -> bool:
    """Whether the code runs in the sample's sandbox and every check holds. A run that takes too long does not pass.

    The verdict is a word that is made up for each run and printed at the very end: code that leaves early does not pass.
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
