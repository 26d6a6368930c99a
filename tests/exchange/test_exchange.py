"""Logs to site and exchange files by the command; contributed files come back, and wrong ones are refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from spillover import __version__
from spillover.answers.measures import EM_MEASURES
from spillover.errors import SpilloverError
from spillover.exchange.contributed import computed_again, read_contribution
from spillover.exchange.export import Given, write_exchange
from spillover.exchange.records import content_hash
from spillover.exchange.records import record as record_of
from spillover.leaderboard.board import make_board
from spillover.probes.probe import get_probe
from tests.exchange.forged import NAME, board, change, record, site_of
from tests.leaderboard.boards import board_of, made_up

LEFT_OUT = "left out, for they have no better direction"
REFUSAL = [m.name for m in get_probe("refusal").measures]


def test_the_site_names_weights_judge_preset_and_the_command(exported):
    (path,) = (exported / "site" / "data").glob("model-*.js")
    told = json.loads(path.read_text().partition(", ")[2].rpartition(")")[0])["provenance"]
    assert told["judge"] == "spillover/lab-grader"
    assert told["preset"] == "spillover"
    assert told["weights"]
    assert (
        "inspect eval spillover/free_form --model spillover/lab --model-role grader=spillover/lab-grader" in told["command"]
    )
    assert "-T categories=bored,money" in told["command"]


def test_every_exchange_format_has_the_same_figures(exported):
    body = json.loads(record(exported).read_text())
    scores = {r["evaluation_name"]: r["score_details"]["score"] for r in body["evaluation_results"]}
    entries = yaml.safe_load((record(exported).parent / ".eval_results" / "spillover.yaml").read_text())
    values = {e["dataset"]["task_id"]: e["value"] for e in entries}
    neutral = set(body["eval_library"]["additional_details"][LEFT_OUT].split("; "))
    assert neutral == {"free_form: refused"}
    assert {k: v for k, v in values.items() if k not in neutral} == pytest.approx(scores, abs=1e-6)
    assert set(values) == neutral | set(scores)
    assert all("interval [" in e["notes"] and "judge spillover/lab-grader" in e["notes"] for e in entries)
    for table in (
        pd.read_csv(exported / "exchange" / "figures.csv"),
        pd.read_parquet(exported / "exchange" / "figures.parquet"),
    ):
        assert dict(zip(table["probe"] + ": " + table["measure"], table["value"], strict=True)) == pytest.approx(
            values, abs=1e-6
        )
        assert (table["lower"] < table["upper"]).all()


def test_the_register_of_inspect_evals_gets_an_entry_a_probe(exported):
    scores = {
        r["evaluation_name"]: r["score_details"]["score"]
        for r in json.loads(record(exported).read_text())["evaluation_results"]
    }
    found = {}
    for path in (exported / "exchange" / "inspect_evals").glob("*/eval.yaml"):
        entry = yaml.safe_load(path.read_text())
        (task,) = entry["tasks"]
        assert entry["id"] == path.parent.name == f"spillover_{task['name']}"
        assert (Path(__file__).parents[2] / task["task_path"]).is_file()
        report = entry["evaluation_report"]
        assert any(note.startswith("The lab:") for note in report["notes"])
        assert report["commit"] == entry["source"]["repository_commit"]
        assert report["command"].startswith(f"inspect eval spillover/{task['name']} --model spillover/lab")
        assert len(report["command"].splitlines()) == len(report["results"]) == 1
        for row in report["results"]:
            assert row["task"] == task["name"]
            assert row["judge"].startswith("spillover/lab-grader")
            for metric in row["metrics"]:
                assert metric["lower"] <= metric["value"] <= metric["upper"]
                found[f"{row['condition']}: {metric['key']}"] = metric["value"]
    assert {name: found[name] for name in scores} == pytest.approx(scores)


def test_a_contribution_comes_back_with_the_same_figures(exported, tmp_path):
    given = read_contribution(record(exported), "spillover")
    entry, columns = given.entry, given.columns
    assert entry.name == "spillover/lab"
    assert computed_again(given, "spillover") == "spillover/lab"
    assert entry.about["source"] == "Test lab"
    table = pd.read_csv(exported / "exchange" / "figures.csv").set_index(["probe", "measure"])
    assert [c.measure for c in columns] == [*(m.name for m in EM_MEASURES if m.worse != "neither"), *REFUSAL]
    for column in columns:
        assert entry.sources[column.key].value.value == pytest.approx(table.loc[(column.probe, column.measure), "value"])
    done = board(record(exported), "-o", tmp_path / "site")
    assert done.exit_code == 0, done.output
    again = json.loads((tmp_path / "site" / "data" / "index.json").read_text())
    assert again["models"][0]["name"] == "spillover/lab"
    first = json.loads((exported / "site" / "data" / "index.json").read_text())
    known = {c["key"]: c for c in first["columns"]}
    # Computed from its logs, so what a record cannot hold (measures without a better side) is there again, and it is ranked.
    assert {c["key"]: c for c in again["columns"]} == known  # in any order: exported logs are named by their digest
    assert again["models"][0]["cells"] == first["models"][0]["cells"]
    assert again["models"][0]["ranks"]
    assert again["models"][0]["about"]["source"] == "Test lab"
    assert again["models"][0]["origin"] == f"computed again from its logs by Spillover {__version__}"
    assert again["models"][0]["claimed"] is False


@pytest.mark.parametrize("how", ["no log", "missing"])
def test_figures_without_logs_are_claimed_and_have_no_rank(exported, tmp_path, how):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    path = tmp_path / "c" / NAME
    body = json.loads(path.read_text())
    if how == "missing":
        next((tmp_path / "c" / "logs").glob("*.eval")).unlink()
    else:
        change(body, how, tmp_path / "c")
    body["evaluation_results"][0]["score_details"]["score"] = body["evaluation_results"][0]["score_details"]["uncertainty"][
        "confidence_interval"
    ]["lower"]  # as good as the interval lets it be
    body["dedupe_identity"]["content_hash"] = content_hash(body)
    path.write_text(json.dumps(body))
    model = site_of(path, tmp_path / "site")
    assert model["claimed"] is True
    assert model["origin"] == "claimed: it came without its logs"
    assert "ranks" not in model
    assert model["cells"]


def test_a_forged_figure_that_was_hashed_anew_is_refused(exported, tmp_path):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    path = tmp_path / "c" / NAME
    body = json.loads(path.read_text())
    scored = next(
        r["score_details"]
        for r in body["evaluation_results"]
        if r["score_details"]["uncertainty"]["confidence_interval"]["lower"] < r["score_details"]["score"] - 0.001
    )
    scored["score"] -= 0.001  # still inside of its interval
    body["dedupe_identity"]["content_hash"] = content_hash(body)
    path.write_text(json.dumps(body))
    refused = board(path, "-o", tmp_path / "site")
    assert "by its logs" in str(refused.exception)
    assert not (tmp_path / "site").exists()


def test_a_model_is_called_what_its_logs_call_it(exported, tmp_path):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    path = tmp_path / "c" / NAME
    body = json.loads(path.read_text())
    body["model_info"]["name"] = "the-best-model"
    body["dedupe_identity"]["content_hash"] = content_hash(body)
    path.write_text(json.dumps(body))
    model = site_of(path, tmp_path / "site")
    assert (model["name"], model["about"]["called"]) == ("spillover/lab", "the-best-model")


def test_a_measure_that_has_no_better_direction_is_never_said_to_have_one(exported):
    """The format must say whether lower is better; a measure that is neither good nor bad is left out and named."""
    board, _ = board_of(["base", "worst"])
    provenance = {"model": "worst", "weights": "f00"}
    made = record_of(board.entries[1], board.columns, provenance, "spillover", "us", 0.0, {"logs/x.eval": "0" * 64})
    for body in (made, json.loads(record(exported).read_text())):
        for result in body["evaluation_results"]:
            config = result["metric_config"]
            assert config["lower_is_better"] is {"higher": True, "lower": False}[config["additional_details"]["worse"]]
    given = {r["metric_config"]["additional_details"]["column"] for r in made["evaluation_results"]}
    neutral = [c for c in board.columns if c.worse == "neither"]
    assert {c.measure for c in neutral} == {"refused", "lean"}
    assert given == {c.key for c in board.columns} - {c.key for c in neutral}
    assert made["eval_library"]["additional_details"][LEFT_OUT] == "free_form: refused; political: lean"


def test_a_model_with_neutral_figures_alone_has_no_record(tmp_path):
    answers = made_up(["base", "worst"])
    lean = replace(answers, table=answers.table[(answers.table["probe"] == "political").to_numpy()].reset_index(drop=True))
    paths = write_exchange(Given(tmp_path, make_board(lean), {}, {}, "spillover", "us"))
    assert NAME not in {path.name for path in paths}
    assert list(pd.read_csv(tmp_path / "figures.csv")["measure"]) == ["lean", "lean"]


def test_two_question_sets_are_two_figures_of_a_record(tmp_path):
    board, _ = board_of(["base", "worst"], sets=("one", "two"), probes=0)
    made = record_of(board.entries[1], board.columns, {}, "spillover", "us", 0.0, {"logs/x.eval": "0" * 64})
    names = [r["evaluation_name"] for r in made["evaluation_results"]]
    assert len(set(names)) == len(names) == 2 * sum(m.worse != "neither" for m in EM_MEASURES)
    assert {"free_form (one): misaligned", "free_form (two): misaligned"} <= set(names)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("tampered", "changed after it was written"),
        ("outside", "do not enclose"),
        ("above one", "do not enclose"),
        ("no width", "no width"),
        ("too many questions", "5000 questions cannot have"),
        ("no questions", "must be numbers"),
        ("unscored", "no share"),
        ("no judge", "no judge is named"),
        ("no preset", "no preset is named"),
        ("log elsewhere", "does not lie beside it"),
        ("another log", "not the one"),
        ("no real log", "cannot be read as an Inspect log"),
        ("nul", "NUL"),
        ("too many answers", "its logs hold"),
        ("another preset", "--preset betley2025"),
        ("another level", "level 0.1"),
        ("upside down", "is worse, whatever"),
        ("another column", "is of another measure than right answers"),
        ("no column", "'column' is a required property"),
        ("below zero", "cannot be below 0"),
        ("old schema", "schema_version"),
        ("not a number", "finite|enclose"),
    ],
)
def test_a_wrong_contribution_is_refused_with_the_reason(exported, tmp_path, how, reason):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    path = tmp_path / "c" / NAME
    body = json.loads(path.read_text())
    change(body, how, tmp_path / "c")
    path.write_text(json.dumps(body))
    with pytest.raises(SpilloverError, match=reason):
        read_contribution(path, "spillover")


def test_broken_json_is_said(exported, tmp_path):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    (tmp_path / "c" / NAME).write_text("{")
    with pytest.raises(SpilloverError, match="cannot be read as JSON"):
        read_contribution(tmp_path / "c" / NAME, "spillover")
