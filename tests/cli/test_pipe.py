"""Whoever reads standard output may stop reading: the command goes on, writes its files and says its verdict."""

import os
import subprocess
import sys

import pytest

from spillover.cli.pipe import Lasting, lasting
from tests.answers.tables import table, written

TOOL = [sys.executable, "-m", "spillover.cli.main"]


@pytest.mark.parametrize(
    ("more", "both", "encoding"), [([], False, "utf-8"), (["--json"], True, "utf-8"), (["--json"], False, "ascii")]
)
def test_files_are_written_when_nobody_reads(tmp_path, more, both, encoding):
    answers = written(tmp_path / "answers.csv", table())
    command = [*TOOL, "import", answers, "-o", "page.html", "--table", "figures.csv", *more]
    ours, theirs = os.pipe()
    os.close(ours)
    errors = theirs if both else subprocess.PIPE
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, stdout=theirs, stderr=errors, cwd=tmp_path, env=environment, timeout=120)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert b"Broken pipe" not in (done.stderr or b"")
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert (tmp_path / "figures.csv").stat().st_size > 100


def test_no_standard_output_at_all_is_none_to_write_to():
    done = subprocess.run(["sh", "-c", '"$@" >&-', "-", *TOOL, "--version"], capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")


class Full:
    """A disk without room."""

    def write(self, text):
        raise OSError(28, "No space left on device")

    flush = write


def test_what_is_no_lost_reader_is_said(monkeypatch):
    with pytest.raises(OSError, match="No space left"):
        Lasting(Full()).write("text")


def test_a_verdict_on_its_way_is_not_replaced(monkeypatch):
    class FullAtLast(Full):
        def write(self, text):
            return len(text)

        def flush(self):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", FullAtLast())
    with pytest.raises(SystemExit) as stop, lasting():
        raise SystemExit(1)
    assert stop.value.code == 1
