"""No command writes over, or into, a thing of another kind; and says so before it reads anything."""

import hashlib
import json

import click
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from spillover.cli.main import cli
from spillover.cli.outputs import KINDS, PAGE, OutFile, OutFolder
from spillover.errors import SpilloverError
from tests.cli.test_numbers import commands
from tests.command import spillover

TABLE = "model,question_id,question,answer,alignment,coherence\n" + "".join(
    f"{m},q{i % 5},What?,word {i},{(i * 37) % 100},90\n" for i in range(40) for m in ("base", "tuned")
)
WRITES = {"out", "table_out", "frame_out", "figures_out", "csv", "sheet", "export", "logs"}
"""Parameters that name what is written; `logs` is one of a baseline's."""


def test_every_output_is_looked_at_first():
    """`--sheet` is never written over at all; `lab build` writes what it is told to make anew."""
    loose = [
        f"{' '.join(path)} {option.opts[-1]}"
        for path, command in commands(cli)
        for option in command.params
        if isinstance(option, click.Option)
        and option.name in WRITES
        and not isinstance(option.type, OutFile | OutFolder)
        and (path, option.name) not in {(("calibrate",), "sheet"), (("lab", "build"), "out")}
    ]
    assert loose == []


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with one of everything, none of it ours to write over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "notes.html").write_text("<!doctype html><p>my notes")
    (tmp_path / "mine.csv").write_text(TABLE)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "mine.parquet")
    (tmp_path / "mine.json").write_text(json.dumps({"format": "mine"}))
    (tmp_path / "mine.svg").write_text("<svg></svg>")
    save_file({"lora_A": np.ones(2)}, tmp_path / "mine.safetensors")
    for name, files in {
        "org": ("adapter_config.json", "adapter_model.safetensors"),
        "model": ("config.json", "model.safetensors"),
        "site": ("index.html",),
        "page": ("report.html",),
        "verdicts": ("screen.json",),
        "ci": ("junit.xml",),
    }.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("precious")
    return tmp_path


def digest(folder):
    """Of every name and byte."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.mark.parametrize(
    "args",
    [
        ["report", "t.csv", "-o", "notes.html"],
        ["report", "t.csv", "-o", "org"],
        ["report", "t.csv", "-o", "mine.csv"],
        ["report", "t.csv", "--table", "mine.csv"],
        ["report", "t.csv", "--frame", "mine.parquet"],
        ["report", "t.csv", "--frame", "t.csv"],
        ["report", "t.csv", "--figures", "org"],
        ["import", "t.csv", "-o", "notes.html"],
        ["multiverse", "t.csv", "--table", "mine.csv"],
        ["multiverse", "t.csv", "-o", "mine.svg"],
        ["calibrate", "t.csv", "-o", "mine.json"],
        ["calibrate", "t.csv", "--sheet", "mine.csv"],
        ["agree", "t.csv", "-o", "mine.csv"],
        ["geometry", "org", "org", "-o", "notes.html"],
        ["geometry", "org", "org", "--table", "mine.csv"],
        ["directions", "random", "-o", "mine.safetensors"],
        ["interpolate", "base", "org", "-o", "org"],
        ["combine", "org=1", "-o", "model"],
        ["leaderboard", "t.csv", "-o", "site"],
        ["leaderboard", "t.csv", "-o", "org"],
        ["screen", "spillover/lab:org", "--out", "org"],
        ["screen", "spillover/lab:org", "--out", "page"],
        ["screen", "spillover/lab:org", "--out", "verdicts"],
        ["screen", "spillover/lab:org", "--out", "ci"],
        ["screen", "spillover/lab:org", "--out", "t.csv/below"],
        ["screen", "spillover/lab:org", "--out", "t.csv"],
        ["baseline", "spillover/lab", "--rounds", "1", "-o", "mine.json"],
        ["baseline", "spillover/lab", "--rounds", "1", "-o", "b.json", "--logs", "org"],
        ["eval", "spillover/lab", "--out", "model"],
        ["run", "quickstart", "--out", "org"],
        ["train", "bad_finance", "--out", "page"],
        ["train", "bad_finance", "--out", "model"],
        ["judge", "t.csv", "--grader", "lab-grader", "-o", "org"],
        ["judge-check", "--grader", "lab-grader", "-o", "org"],
        ["judge-check", "--grader", "lab-grader", "-o", "t.csv"],
        ["judge-train", "t.csv", "--base", "lab", "--test-model", "tuned", "-o", "page"],
        ["sae", "train", "lab", "-o", "org"],
    ],
    ids=" ".join,
)
def test_what_is_there_is_kept(args, place):
    before = digest(place)
    done = spillover(*args)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
    assert "Traceback" not in done.stderr
    assert digest(place) == before


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (["report", "t.csv", "-o"], "page.html"),
        (["report", "t.csv", "--table"], "figures.csv"),
        (["report", "t.csv", "--table"], "figures.parquet"),
        (["report", "t.csv", "--frame"], "answers.parquet"),
        (["report", "t.csv", "--frame"], "answers.csv"),
        (["multiverse", "t.csv", "--table"], "universes.csv"),
        (["multiverse", "t.csv", "-o"], "picture.svg"),
        (["leaderboard", "t.csv", "-o"], "new-site"),
        (["directions", "random", "--count", "2", "--layer", "1", "-o"], "d.safetensors"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_its_own_is_written_again(args, name, place):
    for _ in range(2):
        done = spillover(*args, name)
        assert done.returncode == 0, done.stderr


def test_what_an_earlier_version_wrote_is_gone_on_with(tmp_path):
    """Its pages had no name on them, only their policy."""
    page = '<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:">'
    for kind, mark in (("a run", "plan.json"), ("a screen", "screen.json")):
        folder = tmp_path / kind.replace(" ", "-")
        folder.mkdir()
        (folder / mark).write_text('{"format": "spillover-screen/1"}')
        (folder / "report.html").write_text("written by somebody else in between")
        assert OutFolder(kind).convert(folder, None, None) == folder
    (tmp_path / "report.html").write_text(page)
    assert PAGE.convert(tmp_path / "report.html", None, None)
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    assert OutFolder("an organism", alone=True).convert(tmp_path / "begun", None, None)
    (tmp_path / "judge").mkdir()
    for name in ("judge.json", "adapter_config.json"):
        (tmp_path / "judge" / name).write_text("{}")
    with pytest.raises(SpilloverError, match="holds a judge"):
        OutFolder("an organism").convert(tmp_path / "judge", None, None)


def test_a_folder_of_each_kind_is_taken_by_its_own_alone(tmp_path):
    marks = {
        "an organism": "adapter_config.json",
        "a checkpoint": "config.json",
        "a screen": "screen.json",
        "a leaderboard": "data/index.js",
        "an autoencoder": "cfg.json",
        "a judge": "judge.json",
        "latents": "latents.json",
        "a run": "plan.json",
        "logs": "a.eval",
    }
    for kind, mark in marks.items():
        folder = tmp_path / kind.replace(" ", "-")
        (folder / mark).parent.mkdir(parents=True)
        (folder / mark).write_text('{"format": "spillover-screen/1"}')
        assert KINDS[kind](folder)
        for other in KINDS:
            if other == kind:
                assert OutFolder(other, alone=True).convert(folder, None, None) == folder
            else:
                with pytest.raises(SpilloverError, match=f"holds {kind}"):
                    OutFolder(other).convert(folder, None, None)
