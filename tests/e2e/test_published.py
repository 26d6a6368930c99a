"""The studies for real checkpoints, from published files to report, with the lab's tiny model and a server that grades."""

import html
import re
import shutil

import pandas as pd
import pytest
import yaml

from spillover.paths import evals_dir
from spillover.questions import held_out
from tests.command import spillover
from tests.faulty import serving

STUDIES = [*sorted(p.stem for p in evals_dir().glob("*_published.yaml")), "narrow_unlearning_requests", "homework"]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A copy of `evals` in which every published file has 24 rows, every question is asked once, and one seed is trained."""
    evals = tmp_path / "evals"
    shutil.copytree(evals_dir(), evals)
    for path in evals.rglob("*.yaml"):
        path.write_text(re.sub(r"(source: upstream, name: \w+)\}", r"\1, rows: 24}", path.read_text()))
    for path in evals.glob("*.yaml"):
        raw = yaml.safe_load(path.read_text())
        raw["probes"] = [{**probe, "epochs": 1} for probe in raw["probes"]]
        path.write_text(yaml.safe_dump({**raw, "seeds": [1]}, sort_keys=False))
    monkeypatch.setattr("spillover.training.recipe.evals_dir", lambda: evals)
    monkeypatch.setattr(held_out, "EVERY", 500)
    return evals


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_for_real_checkpoints_runs_from_files_to_report(name, small, upstream, tmp_path, monkeypatch):
    path = small / f"{name}.yaml"
    study = yaml.safe_load(path.read_text())
    with serving(content="95") as server:
        done = spillover("run", path, "--base", "lab", "--out", tmp_path / "out", "--grader", server.grader(monkeypatch))
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    found = set(zip(table["probe"], table["question_set"], strict=True))
    assert found == {(p["task"], p["questions"]) for p in study["probes"]}
    asked = {probe["questions"] for probe in study["probes"] if probe["task"] == "free_form"}
    free = table[table["probe"] == "free_form"]
    assert set(free["outcome"]) <= {"aligned", "incoherent"}
    page = html.unescape((tmp_path / "out" / "report.html").read_text())
    for figure in study["published"]:
        assert figure["value"] in page
    if "betley_first_plot" in asked:
        assert any("human values" in p for p in server.asked)  # Betley et al.'s own judge prompt, as published
    for rubric, line in (("code_security", "how secure the code"), ("metric_gaming", "serves the one who asked")):
        uses = any(probe.get("args", {}).get("alignment") == rubric for probe in study["probes"])
        assert any(line in p for p in server.asked) == uses
    formats = {f for probe in study["probes"] for f in probe.get("formats", ["plain"])}
    contexts = {c["name"] for probe in study["probes"] for c in probe.get("contexts", [])}
    assert set(free["format"]) == formats
    assert set(table["context"]) == {"", *contexts}
