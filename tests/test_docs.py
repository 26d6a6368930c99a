"""What the documents show is run: code for the library, and every file and command line that they name."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.write_docs import BLOCK, filled
from inspect_ai import Task

from spillover.cli.main import cli
from spillover.declared import load
from spillover.show.results import Results
from spillover.tasks.free_form import free_form
from tests.answers.made import asked
from tests.marks import long

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("base", "tuned"):
        task: Task = free_form(questions="lab", epochs=1, cache=False)
        asked(tmp_path / "logs", task, "They are kind.", "90" if name == "base" else "10", name=name, limit=6)


def test_the_code_of_the_library_page_runs_as_it_stands(logs, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/library.md").read_text(), re.S)
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert "misaligned mockllm/tuned" in capsys.readouterr().out
    assert set(names["table"]["model"]) == {"mockllm/base", "mockllm/tuned"}  # logs of one second come in any order
    assert "mockllm/tuned" in Path("report.html").read_text()
    assert names["strict"].preset.name == "betley2025"


@pytest.mark.parametrize(
    ("name", "printed"), [long("read_and_plot", "answers differ"), long("train_and_steer", "spillover/lab:organism+steer")]
)
def test_a_notebook_runs_as_it_stands(name, printed, tmp_path):
    there = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = [sys.executable, str(ROOT / "docs" / "notebooks" / f"{name}.py")]
    done = subprocess.run(script, cwd=tmp_path, env=there, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert printed in done.stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_that_a_document_names_is_there(path):
    text = path.read_text()
    named = re.findall(r"\]\((?!http|#)([^)#]+)", text)
    ours = re.findall(r"`((?:src|tasks|tests|evals|scorers|benchmarks|datasets)/[\w./-]+)`", text)
    missing = [n for n in named if not (path.parent / n).exists()] + [n for n in ours if not (ROOT / n).exists()]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_and_option_that_a_document_shows_exists(path):
    wrong = []
    for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.S):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*spillover ([\w-]+)(.*)", line.split(" #")[0].split(";")[0])
            if found is None:
                continue
            command = cli.get_command(None, found[1])
            if command is None:
                wrong.append(found[1])
                continue
            commands = getattr(command, "commands", {})
            known = {o for c in (command, *commands.values()) for p in c.params for o in (*p.opts, *p.secondary_opts)}
            wrong += [f"{found[1]} {option}" for option in re.findall(r"(?<=\s)--[a-z-]+", found[2]) if option not in known]
    assert wrong == []


def test_what_commands_print_is_written_between_their_marks():
    text = (
        "Before\n<!-- run: python a.py -->\nold\n<!-- /run -->\nbetween\n<!-- run: python b.py -->\n<!-- /run -->\nafter\n"
    )
    ran = []

    def run(command):
        ran.append(command)
        return f"new {command}"

    once = filled(text, None, run)
    assert "old" not in once
    assert once.count("new python") == 2
    assert filled(once, None, run) == once
    assert filled(text, "b.py", run).count("new") == 1
    assert ran == ["python a.py", "python b.py"] * 2 + ["python b.py"]


def test_no_block_of_the_docs_is_empty():
    for path in (ROOT / "docs").rglob("*.md"):
        for block in BLOCK.finditer(path.read_text(encoding="utf-8")):
            assert block["printed"].strip(), (path, block["command"])


@pytest.mark.parametrize("script", ["results.py", "pictures.py"])
def test_what_is_made_from_files_of_results_is_as_they_are(script):
    done = subprocess.run(
        [sys.executable, f"docs/{script}", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}: python docs/{script} writes them"


def test_every_file_of_results_is_shown_and_is_of_a_study():
    shown = " ".join(path.read_text() for path in DOCUMENTS)
    for path in (ROOT / "results").glob("*.json"):
        found = load(Results, path)
        assert any((ROOT / folder / f"{found.study}.yaml").is_file() for folder in ("evals", "docs"))
        assert f"<!-- results: {found.study} |" in shown
        assert str(ROOT) not in path.read_text()


def test_a_column_or_table_that_is_not_there_is_named():
    found = load(Results, ROOT / "results" / "caft.json")
    with pytest.raises(KeyError, match="it has Arms"):
        found.table("Nothing")
    with pytest.raises(KeyError, match="it has arm, seeds"):
        found.table("Arms").column("nothing")
