"""Progress where no terminal is: ten lines over the whole run, each with what is done and the time that is left."""

import io
import re

import pytest
from rich.console import Console

from spillover.cli.progress import _duration, bar


def test_ten_lines_with_time(monkeypatch):
    now = iter(range(0, 10_000, 30))
    monkeypatch.setattr("spillover.cli.progress.time.monotonic", lambda: float(next(now)))
    to = Console(file=io.StringIO(), width=200)
    with bar(to, "suite") as advance:
        for done in range(1, 101):
            advance(done, 100, "answers")
    lines = to.file.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[0] == "suite: 1/100 answers (30 s)"  # that one waited for the model to load
    assert re.fullmatch(r"suite: 10/100 answers \(60 s, 9 min left\)", lines[1])
    assert lines[-1].startswith("suite: 100/100 answers (")
    assert "left" not in lines[-1]
    assert all(re.search(r"left\)$", line) for line in lines[1:-1])


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0 s"), (99.4, "99 s"), (120, "2 min"), (5400, "90 min"), (7200, "2.0 h")]
)
def test_durations(seconds, told):
    assert _duration(seconds) == told


def test_a_bar_in_a_terminal_has_a_rate():
    to = Console(file=io.StringIO(), width=120, force_terminal=True)
    with bar(to, "suite") as advance:
        for done in (1, 2, 3):
            advance(done, 3, "answers")
    assert "3/3" in to.file.getvalue()
    assert "/s" in to.file.getvalue()
