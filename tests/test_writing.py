"""Files are there whole or not at all."""

import ast
import contextlib
import os
import resource
from pathlib import Path

import pandas as pd
import pytest

import spillover
from spillover.errors import SpilloverError
from spillover.writing import replacing, write_json, write_table, write_text
from tests.command import spillover as command

SOURCE = Path(spillover.__file__).parent
WRITES = {"write_text", "write_bytes", "to_csv", "to_parquet", "to_excel", "to_json", "savefig", "save_file"}
OTHERWISE = {
    "writing.py": "it is the way",
    "sandbox/inside.py": "runs in the sandbox, without the package",
    "sandbox/launch.py": "a folder for one job, gone after it",
    "show/plots.py": "into memory",
    "cli/rows.py": "onto the terminal",
    "show/html.py": "within `replacing`",
    "training/referee.py": "roll-outs are appended, a line each, and cut back on resume",
    "serving/vllm.py": "a server's log, as it comes",
    "questions/upstream.py": "a download, checked against its digest before it is renamed",
    "locking.py": "holds a number",
}


def writers(path):
    """Calls that write a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        own = isinstance(node.func, ast.Name)  # our own functions are called by name
        modes = [a.value for a in (*node.args, *(k.value for k in node.keywords)) if isinstance(a, ast.Constant)]
        opened = name == "open" and any(isinstance(m, str) and set(m) & set("wax+") and len(m) < 4 for m in modes)
        if opened or (name in WRITES and not (own and name.startswith("write_"))):
            yield f"{name}, line {node.lineno}"


def test_nothing_else_writes_files():
    """A new writer goes by `spillover.writing`, or says here why it need not."""
    found = {str(p.relative_to(SOURCE)): list(writers(p)) for p in SOURCE.rglob("*.py")}
    assert {name: calls for name, calls in found.items() if calls and name not in OTHERWISE} == {}


def test_an_error_while_writing_keeps_what_was_there(tmp_path):
    path = tmp_path / "a" / "kept.json"
    write_json(path, {"a": 1})

    def stopped():
        with replacing(path) as part:
            part.write_text("half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        stopped()
    assert path.read_text() == '{\n "a": 1\n}\n'
    assert os.listdir(path.parent) == ["kept.json"]


@pytest.mark.parametrize("where", ["file/under/it.csv", "folder", f"{'x' * 300}.csv"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path, where):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SpilloverError, match=r"Cannot write .*\(.*\); name another place or make room\."):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / where)
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_half_a_surrogate_pair_can_be_written(tmp_path):
    write_text(tmp_path / "a.txt", "x\ud83d")
    assert (tmp_path / "a.txt").read_text() == "x?"


@contextlib.contextmanager
def full():
    """As a full disk: no file grows beyond 64 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


TABLE = "model,question_id,question,answer,alignment,coherence\n" + "".join(
    f"{m},q{i % 9},What now?,{'word ' * 20}{i},{(i * 37) % 100},90\n" for i in range(200) for m in ("base", "tuned")
)


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["report", "t.csv", "-o"], "page.html"),
        (["report", "t.csv", "--table"], "figures.csv"),
        (["report", "t.csv", "--frame"], "answers.parquet"),
        (["report", "t.csv", "--figures"], "pictures"),
        (["multiverse", "t.csv", "--table"], "universes.csv"),
        (["multiverse", "t.csv", "-o"], "picture.svg"),
        (["calibrate", "t.csv", "--sheet"], "sheet.csv"),
        (["leaderboard", "t.csv", "-o"], "site"),
    ],
)
def test_a_full_disk_is_one_sentence_and_keeps_what_was_there(args, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    out = tmp_path / name
    if out.suffix and "--sheet" not in args:  # a sheet is never written over
        assert command(*args, name).returncode == 0
    before = out.read_bytes() if out.is_file() else None
    with full():
        done = command(*args, name)
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(f"Error: Cannot write {name}"), done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.rglob("*.part")] == []
    assert (out.read_bytes() if out.is_file() else None) == before
