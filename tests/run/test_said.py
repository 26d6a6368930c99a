"""Inspect's praise of a finished set is left out, however it is folded; everything else passes."""

from contextlib import closing, redirect_stdout

import pytest
from inspect_ai._eval.evalset import status_msg
from rich.console import Console

from spillover.run.said import Unpraised


@pytest.mark.parametrize("width", [15, 40, 80, 220])
@pytest.mark.parametrize("coloured", [True, False])
@pytest.mark.parametrize("folder", ["runs/logs", "/home/a user/it's here/logs-7"])
def test_only_the_praise_is_left_out(width, folder, coloured, capsys):
    with closing(Unpraised()) as said, redirect_stdout(said):
        out = Console(width=width, file=said, force_terminal=coloured)
        print("before")
        out.print(status_msg(f"Completed all tasks in '{folder}' successfully"))
        print("between")
        out.print(status_msg(f"Completed all tasks in '{folder}' successfully"))
        print("after, without an end", end="")
    told = capsys.readouterr().err.split("\n")
    assert [line for line in told if line.strip()] == ["before", "between", "after, without an end"]
