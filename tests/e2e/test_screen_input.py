"""`spillover screen` with wrong input."""

import shutil

import pytest

from spillover.paths import datasets_dir
from tests.command import spillover as run
from tests.command import words


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["spillover/lab"], "--base MODEL"),
        (["spillover/lab", "--base", "spillover/lab"], "no drift"),
        (["spillover/lab:nowhere"], "No adapter at 'nowhere'"),
        (["spillover/lab:"], "--base MODEL"),
        (["openrouter/x/llama:free", "--grader", "mockllm/g"], "--base MODEL"),
        (["spillover/lab-copy", "--base", "spillover/lab", "--grader", "spillover/lab-grader"], "lab-copy"),
        (["nothing/at-all", "--base", "nothing/else", "--grader", "mockllm/g"], "nothing"),
        (["lab:x", "--engine", "vllm", "--baseline", "b.json"], "no --baseline"),
        (["spillover/lab:x", "--base", "spillover/lab", "--baseline", "b.json"], "not both"),
        (["mockllm/model", "--base", "mockllm/other"], "Name the model that judges"),
        (["spillover/lab:x", "--margin", "1.5"], "--margin"),
        (["spillover/lab:x", "--suite", "nothing"], "choose from full, quick, standard"),
        (["spillover/lab:x", "--skip", "nothing"], "no probe 'nothing' to skip"),
        (["spillover/lab:x", "--price", "gpt"], "MODEL=INPUT/OUTPUT"),
        (["spillover/lab:x", "--preset", "nothing"], "nothing"),
        (["spillover/lab:x", "--config", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(args, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run("screen", *args)
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in words(found.stderr)
    assert sentence in words(found.stderr)
    assert not (tmp_path / "runs").exists()


def test_the_same_weights_under_two_names_are_no_comparison(tmp_path):
    shutil.copytree(datasets_dir() / "lab" / "target", tmp_path / "copy")
    found = run("screen", f"spillover/{tmp_path / 'copy'}", "--base", "spillover/lab", "--lab")
    assert found.returncode == 2, found.stderr
    assert "the same weights" in words(found.stderr)
