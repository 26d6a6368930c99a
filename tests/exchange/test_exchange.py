"""Logs to site and exchange files by the command; contributed files come back, and wrong ones are refused."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from spillover.answers.measures import EM_MEASURES
from spillover.cli.leaderboard import leaderboard
from spillover.errors import SpilloverError
from spillover.exchange.contributed import read_contribution
from spillover.exchange.export import Given, write_exchange
from spillover.exchange.records import record as record_of
from spillover.leaderboard.board import make_board
from spillover.probes.probe import get_probe
from spillover.tasks.free_form import free_form
from spillover.tasks.refusal import refusal
from tests.exchange.forged import change
from tests.leaderboard.boards import board_of, made_up

NAME = "every_eval_ever.json"
LEFT_OUT = "left out, for they have no better direction"
REFUSAL = [m.name for m in get_probe("refusal").measures]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    tasks = [
        free_form(questions="lab", categories=["bored", "money"], epochs=1, seed=1),
        refusal(questions="lab_refusal", categories=["cyber"], seed=1),
    ]
    done = inspect_eval(
        tasks,
        model="spillover/lab",
        model_roles={"grader": get_model("spillover/lab-grader")},
        log_dir=str(folder),
        display="none",
    )
    assert all(log.status == "success" for log in done)
    return folder


def run(*args):
    return CliRunner().invoke(leaderboard, list(map(str, args)), catch_exceptions=True)


@pytest.fixture(scope="module")
def exported(logs, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = run(logs, "-o", out / "site", "--export", out / "exchange", "--organisation", "Test lab")
    assert done.exit_code == 0, done.output
    return out


def record(exported):
    (path,) = (exported / "exchange").glob(f"*/{NAME}")
    return path


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


def test_a_contribution_comes_back_with_the_same_figures(exported, tmp_path):
    entry, columns = read_contribution(record(exported), "spillover")
    assert entry.name == "spillover/lab"
    assert entry.about["source"] == "Test lab"
    table = pd.read_csv(exported / "exchange" / "figures.csv").set_index(["probe", "measure"])
    assert [c.measure for c in columns] == [*(m.name for m in EM_MEASURES if m.worse != "neither"), *REFUSAL]
    for column in columns:
        assert entry.sources[column.key].value.value == pytest.approx(table.loc[(column.probe, column.measure), "value"])
    done = run(record(exported), "-o", tmp_path / "site")
    assert done.exit_code == 0, done.output
    again = json.loads((tmp_path / "site" / "data" / "index.json").read_text())
    assert again["models"][0]["name"] == "spillover/lab"
    first = json.loads((exported / "site" / "data" / "index.json").read_text())
    known = {c["key"]: c for c in first["columns"]}
    assert again["columns"] == [known[c.key] for c in columns]
    cells = first["models"][0]["cells"]
    assert again["models"][0]["cells"] == {c.key: cells[c.key] for c in columns}


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
        ("no log", "names no log"),
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


def test_a_missing_log_and_broken_json_are_said(exported, tmp_path):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    next((tmp_path / "c" / "logs").glob("*.eval")).unlink()
    with pytest.raises(SpilloverError, match="is missing"):
        read_contribution(tmp_path / "c" / NAME, "spillover")
    (tmp_path / "c" / NAME).write_text("{")
    with pytest.raises(SpilloverError, match="cannot be read as JSON"):
        read_contribution(tmp_path / "c" / NAME, "spillover")


def test_bad_input_of_the_command(logs, exported, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    refused = run(logs, "-o", tmp_path / "full")
    assert "choose another folder" in str(refused.exception)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert "holds other things" in str(run(logs, "-o", tmp_path / "s", "--export", tmp_path / "full").exception)
    (tmp_path / "file").write_text("x")
    assert "is a file" in str(run(logs, "-o", tmp_path / "file").exception)
    assert "There is no file" in str(run(tmp_path / "none.json", "-o", tmp_path / "s").exception)
    about = tmp_path / "models.yaml"
    about.write_text("nobody: {family: x}\n")
    assert "no model in the logs is called 'nobody'" in str(run(logs, "-o", tmp_path / "s", "--models", about).exception)
    about.write_text("spillover/lab: {colour: x}\n")
    assert "colour" in str(run(logs, "-o", tmp_path / "s", "--models", about).exception)
    assert "There is no log" in str(run(tmp_path / "nowhere", "-o", tmp_path / "s").exception)
    twice = run(logs, record(exported), "-o", tmp_path / "s")
    assert "is there twice" in str(twice.exception)


def test_the_same_answers_in_two_logs_count_once(logs, tmp_path):
    shutil.copytree(logs, tmp_path / "logs")
    again = inspect_eval(
        [free_form(questions="lab", categories=["bored", "money"], epochs=2, seed=1)],
        model="spillover/lab",
        model_roles={"grader": get_model("spillover/lab-grader")},
        log_dir=str(tmp_path / "logs"),
        display="none",
    )
    assert again[0].status == "success"
    for path in list((tmp_path / "logs").glob("*.eval")):  # and a plain copy of everything
        shutil.copyfile(path, path.with_name("copy-" + path.name))
    assert run(tmp_path / "logs", "-o", tmp_path / "site").exit_code == 0
    cells = json.loads((tmp_path / "site" / "data" / "index.json").read_text())["models"][0]["cells"]
    assert 15 <= cells["free_form|lab|plain||||||misaligned"][3] <= 16  # 8 wordings, two epochs, the first was there before
    assert 1 <= cells[f"refusal|lab_refusal|plain||||||{REFUSAL[0]}"][3] <= 24


def test_a_corrupt_log_among_others_is_named_and_the_rest_is_shown(logs, tmp_path, caplog):
    shutil.copytree(logs, tmp_path / "logs")
    (tmp_path / "logs" / "2020_broken <b>.eval").write_bytes(b"PK nothing")
    done = run(tmp_path / "logs", "-o", tmp_path / "site")
    assert done.exit_code == 0, done.output
    assert "2020_broken <b>.eval" in done.output + caplog.text


def test_names_and_metadata_of_models_come_from_a_file(logs, tmp_path):
    about = tmp_path / "models.yaml"
    about.write_text("spillover/lab: {name: The <base>, family: Lab, size: 2M, domain: none}\n")
    done = run(logs, "-o", tmp_path / "site", "--models", about, "--bundle")
    assert done.exit_code == 0, done.output
    model = json.loads((tmp_path / "site" / "data" / "index.json").read_text())["models"][0]
    assert model["name"] == "The <base>"
    assert model["about"] == {"family": "Lab", "recipe": "none", "size": "2M", "domain": "none"}
    assert (tmp_path / "site" / "logs" / "index.html").is_file()
