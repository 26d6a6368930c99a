"""The command line itself, in this process: starting Python, torch and the lab a hundred times would take many minutes."""

import contextlib
import contextvars
import io
import subprocess
import sys
from typing import NamedTuple

import pytest

from spillover.cli.main import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def spillover(*args) -> Done:
    """`spillover` with these arguments."""
    out, errors = io.StringIO(), io.StringIO()
    code = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr(sys, "argv", ["spillover", *map(str, args)])
        try:
            contextvars.copy_context().run(main)  # the model that Inspect was given last is no other test's
        except SystemExit as stop:
            code = stop.code or 0
    return Done(code, out.getvalue(), errors.getvalue())


def words(text):
    """Printed text without its line breaks."""
    return " ".join(text.split())


STOPPED = """
import importlib, os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may ignore it
module, name, call, sign, program = sys.argv[1:6]
sys.argv = [program, *sys.argv[6:]]
*path, last = name.split(".")
owner = importlib.import_module(module)
for part in path:
    owner = getattr(owner, part)
own, calls = getattr(owner, last), 0


def hooked(*args, **options):
    global calls
    calls += 1
    if calls == int(call):
        os.kill(os.getpid(), int(sign))
    return own(*args, **options)


setattr(owner, last, hooked)
importlib.import_module({"spillover": "spillover.cli.main", "inspect": "inspect_ai._cli.main"}[program]).main()
"""


def stopped(sign, at, call, *args, program="spillover", **options) -> Done:
    """`spillover` (or `inspect`) in a process of its own, which sends itself a signal before a function is called.

    So a run is stopped at the same point on every machine, however busy it is.

    Args:
        sign: The signal.
        at: Function, as `module:Class.name`.
        call: Which call of it, from 1.
        *args: Of the command.
        program: Its name.
        **options: For `subprocess.run`.
    """
    command = [sys.executable, "-c", STOPPED, *at.split(":"), str(call), str(int(sign)), program, *map(str, args)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    return Done(found.returncode, found.stdout, found.stderr)
