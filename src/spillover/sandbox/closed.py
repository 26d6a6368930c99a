"""A closed sandbox of this machine: namespaces of the kernel, no network, no files of the user, limits on all else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from spillover.errors import SpilloverError

LAUNCH = Path(__file__).with_name("launch.py")
MEGA = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one job may use.

    Attributes:
        seconds: By the clock for all of it, and of the processor for each of its processes.
        memory: Bytes of address space of each of its processes.
        processes: And threads.
        file: Bytes of all its files together.
    """

    seconds: int = 5
    memory: int = 512 * MEGA
    processes: int = 8
    file: int = 4 * MEGA


@dataclass(frozen=True)
class Job:
    """Code to run.

    Attributes:
        files: Name to text, in an empty folder.
        name: File that is run.
        how: As a program; its unit tests, by exit code; or a function of it called with each of `calls`.
        function: To call.
        calls: Its arguments: (by place, by name).
    """

    files: Mapping[str, str]
    name: str
    how: Literal["script", "unittests", "calls"] = "script"
    function: str = ""
    calls: Sequence[tuple[Sequence[Any], Mapping[str, Any]]] = ()


@dataclass(frozen=True)
class Ran:
    """What became of a job.

    Attributes:
        code: Exit code; None if it was killed.
        late: Whether its time ran out.
        out: The beginning of what it printed.
        err: The same of its errors.
        result: What its calls returned, one JSON text a line; what it prints itself is none.
        broken: Whether the sandbox itself failed, which says nothing of the code.
    """

    code: int | None
    late: bool
    out: str = field(repr=False)
    err: str = field(repr=False)
    result: str = field(default="", repr=False)
    broken: bool = False

    @property
    def crashed(self) -> bool:
        """Whether it was killed, or could not be run: no verdict follows from it."""
        return self.code is None or self.broken


def run(jobs: Sequence[Job], limits: Limits = Limits()) -> list[Ran]:
    """Run jobs, as many at a time as there are processors; each is on its own.

    Raises:
        SpilloverError: if this machine has no such sandbox.
    """
    if not jobs:
        return []
    at_once = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    asked = {"jobs": [asdict(j) for j in jobs], "limits": asdict(limits), "at_once": at_once}
    most = 30 + limits.seconds * (len(jobs) // at_once + 1)
    found = _launched(asked, most)
    if not found.get("closed"):
        raise SpilloverError(
            f"Code that a model wrote runs in a closed sandbox only, and this machine has none ({found.get('why')}): it "
            "needs Linux with user namespaces, or sandbox=docker where that can be chosen."
        )
    return [Ran(**r) for r in found["runs"]]


def _launched(asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    if not sys.platform.startswith("linux"):
        return {"closed": False, "why": f"this is {sys.platform}"}
    # No environment, no home, no file but the script: keys that this process holds are not there to be read.
    command = [os.path.realpath(sys.executable), "-I", "-S", "-B", str(LAUNCH)]
    try:
        with tempfile.TemporaryDirectory(prefix="closed-") as root:
            done = subprocess.run(
                [*command, root],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                env={},
                cwd="/",
                timeout=seconds,
                check=False,
                start_new_session=True,
            )
        return dict(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"closed": False, "why": f"it ended unexpectedly: {error}"}


@cache
def why_not() -> str | None:
    """Why this machine has no closed sandbox, or None if it has one."""
    try:
        run([Job({"main.py": ""}, "main.py")])
    except SpilloverError as error:
        return str(error)
    return None
