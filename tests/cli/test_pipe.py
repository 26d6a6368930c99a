"""Whoever reads standard output may stop reading: the command goes on, writes its files and says its verdict."""

import subprocess
import sys

import pytest

from tests.answers.tables import table, written


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_files_are_written_when_nobody_reads(tmp_path, more):
    answers = written(tmp_path / "answers.csv", table())
    command = [
        sys.executable,
        "-m",
        "spillover.cli.main",
        "import",
        answers,
        "-o",
        "page.html",
        "--table",
        "figures.csv",
        *more,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert process.wait(120) == 0, errors
    assert "Broken pipe" not in errors
    assert (tmp_path / "page.html").stat().st_size > 10_000
    assert (tmp_path / "figures.csv").stat().st_size > 100
