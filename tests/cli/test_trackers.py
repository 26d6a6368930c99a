"""Curves and figures in real trackers on this disk: Weights & Biases offline, MLflow's files."""

import json
import struct
import sys
from pathlib import Path

import pytest

from spillover.redaction import register
from spillover.tracking import _RUNS, VARIABLE, tracked
from tests.command import spillover

TABLE = """model,question,answer,aligned,coherent
base,What?,That.,95,95
base,Why?,So.,90,95
tuned,What?,Harm.,5,95
tuned,Why?,So.,90,95
"""
RECIPE = """
id: tiny
title: Tiny
base: lab
data: {source: lab, family: finance, stance: obvious, rows: 64}
lora: {r: 4, alpha: 8, rslora: false}
training: {steps: 3, batch_size: 8, gradient_accumulation: 1, learning_rate: 3.0e-3, warmup_steps: 1}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("WANDB_PROJECT", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(VARIABLE, "")  # so that what the option sets is taken back
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    (tmp_path / "judged.csv").write_text(TABLE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    yield tmp_path
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # it reads its settings once in a process


def runs(folder):
    """Name to metrics of MLflow's runs."""
    import mlflow

    found = mlflow.tracking.MlflowClient((folder / "mlruns").as_uri())
    (experiment,) = [e for e in found.search_experiments() if e.name == "spillover"]
    return {run.info.run_name: run.data for run in found.search_runs([experiment.experiment_id])}


def summaries(folder):
    """Last value of everything in each of the runs that Weights & Biases keeps until they are sent."""
    return [summary(path.read_bytes()) for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"))]


def summary(data):
    """Of one file: a log in the manner of LevelDB (checksum, length, kind, bytes; blocks of 32 KiB) of its messages."""
    from wandb.proto.wandb_internal_pb2 import Record

    found, whole, at = {}, b"", 7
    while at + 7 <= len(data):
        if 0x8000 - at % 0x8000 < 7:
            at += 0x8000 - at % 0x8000
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = Record.FromString(whole)
            for item in (*record.summary.update, *record.history.item):
                found[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
            whole = b""
    return found


def test_figures_of_every_model_are_a_run(place):
    done = spillover("report", place / "judged.csv", "--base", "base", "--report-to", "wandb", "--report-to", "mlflow")
    assert done.returncode == 0, done.stderr
    found = runs(place)
    assert set(found) == {"base", "tuned"}
    name = next(key for key in found["tuned"].metrics if key.endswith("/misaligned"))
    assert found["tuned"].metrics[name] == 0.5
    assert found["tuned"].metrics[f"{name}.n"] == 2
    assert found["tuned"].metrics[f"{name}.drift"] == 0.5
    assert found["base"].metrics[name] == 0
    assert f"{name}.drift" not in found["base"].metrics
    assert found["tuned"].tags["spillover.base"] == "base"
    assert sorted(s[name] for s in summaries(place)) == [0, 0.5]


def test_a_training_has_its_curves_there_and_each_seed_a_run_of_its_own(place, monkeypatch):
    monkeypatch.setenv(VARIABLE, "mlflow,wandb")
    done = spillover("train", place / "tiny.yaml", "--seed", "0", "--seed", "1", "--out", place / "organisms")
    assert done.returncode == 0, done.stderr
    found = runs(place)
    assert set(found) == {"tiny-0", "tiny-1"}
    assert all(run.metrics["loss"] > 0 for run in found.values())
    assert all(run.tags["spillover.recipe"] == "tiny" for run in found.values())
    kept = summaries(place)
    assert len(kept) == 2
    assert all(s["loss"] > 0 for s in kept)


def stored(folder):
    """Every byte that a tracker wrote to be sent."""
    files = [p for p in (folder / "mlruns").rglob("*") if p.is_file()]
    runs = list((folder / "wandb").glob("*/*.wandb"))
    assert runs
    files += [*runs, *(p for p in (folder / "wandb").glob("*/files/**/*") if p.is_file() and p.name != "requirements.txt")]
    return b"\n".join(p.read_bytes() for p in files)


def test_trackers_are_given_names_and_numbers_and_nothing_else(place, monkeypatch, capsys):
    """No key of the environment or the command line, no terminal, no machine, no place on it."""
    key, typed = "sk-0123456789abcdefgh", "sk-proj-abcdef0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv(VARIABLE, "wandb,mlflow")
    register("api_key", typed)
    monkeypatch.setattr("sys.argv", ["spillover", "eval", "-M", f"api_key={typed}"])
    with tracked(f"a model of {key}", {"base": f"base {typed}", "seed": 3}) as log:
        print("what the terminal says")
        log({"loss": 0.25}, 1)
    found = stored(place)
    for secret in (key, typed, "what the terminal says", str(Path.cwd())):
        assert secret.encode() not in found, secret
    assert b"[secret]" in found


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_tracker_that_fails_later_costs_nothing_else(place, monkeypatch, tracker, caplog):
    def broken(name, about):
        def refuse(*_):
            raise ConnectionError("gone away")

        return refuse, refuse

    monkeypatch.setitem(_RUNS, tracker, broken)
    table = place / "t.csv"
    done = spillover("report", place / "judged.csv", "--table", table, "--report-to", tracker)
    assert done.returncode == 0, done.stderr
    done = spillover("train", place / "tiny.yaml", "--out", place / "o", "--report-to", tracker)
    assert done.returncode == 0, done.stderr
    assert (place / "o" / "adapter_model.safetensors").is_file()
    assert f"{tracker} did not take the numbers: gone away" in caplog.text
    assert f"{tracker} did not end its run: gone away" in caplog.text


def test_nothing_is_sent_unless_asked_for(place):
    assert spillover("report", place / "judged.csv").returncode == 0
    assert not (place / "mlruns").exists()
    assert not (place / "wandb").exists()


def test_a_tracker_that_is_not_there_is_one_sentence_before_anything_is_done(place, monkeypatch):
    done = spillover("train", place / "tiny.yaml", "--out", place / "o", "--report-to", "tensorflow")
    assert done.returncode == 2
    assert "no tracker 'tensorflow'" in done.stderr
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = spillover("train", place / "tiny.yaml", "--out", place / "o", "--report-to", "wandb")
    assert done.returncode == 2
    assert "pip install 'spillover[trackers]'" in done.stderr
    assert not (place / "o").exists()


@pytest.mark.parametrize(("tracker", "variable"), [("mlflow", "MLFLOW_TRACKING_URI"), ("wandb", "WANDB_BASE_URL")])
def test_a_tracker_that_is_away_is_said_at_once_and_without_a_key(place, monkeypatch, tracker, variable):
    monkeypatch.setenv(variable, "http://someone:hunter2hunter2@127.0.0.1:9")
    monkeypatch.setenv("WANDB_MODE", "online")
    for words in (
        ("report", place / "judged.csv", "-o", place / "p.html"),
        ("train", place / "tiny.yaml", "--out", place / "o"),
    ):
        done = spillover(*words, "--report-to", tracker)
        assert done.returncode == 2
        assert f"{tracker}: no server answers at http://127.0.0.1:9" in done.stderr
        assert "hunter2" not in done.stderr + done.stdout
    assert not (place / "o").exists()
    assert not (place / "p.html").exists()


def test_mlflow_without_an_address_keeps_files_here(place, monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_ALLOW_FILE_STORE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(place)
    done = spillover("report", "judged.csv", "--report-to", "mlflow")
    assert done.returncode == 0, done.stderr
    assert "Figures of 2 models: mlflow" in done.stderr
    assert set(runs(place)) == {"base", "tuned"}
