"""The command line itself, in this process: starting Python, torch and the lab a hundred times would take many minutes."""

import contextlib
import io
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
            main()
        except SystemExit as stop:
            code = stop.code or 0
    return Done(code, out.getvalue(), errors.getvalue())
