"""The command `spillover leaderboard`: what it refuses, what it leaves out, and what it calls models."""

import hashlib
import json
import shutil

import pandas as pd
from inspect_ai import eval as inspect_eval
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import get_model

from spillover.probes.probe import get_probe
from spillover.tasks.free_form import free_form
from tests.exchange.forged import NAME, board, record, site_of

LEFT_OUT = "left out, for they have no better direction"
REFUSAL = [m.name for m in get_probe("refusal").measures]


def test_bad_input_of_the_command(logs, exported, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    refused = board(logs, "-o", tmp_path / "full")
    assert "choose another folder" in str(refused.exception)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert "holds other things" in str(board(logs, "-o", tmp_path / "s", "--export", tmp_path / "full").exception)
    (tmp_path / "file").write_text("x")
    assert "is a file" in str(board(logs, "-o", tmp_path / "file").exception)
    assert "There is no file" in str(board(tmp_path / "none.json", "-o", tmp_path / "s").exception)
    about = tmp_path / "models.yaml"
    about.write_text("nobody: {family: x}\n")
    assert "no model in the logs is called 'nobody'" in str(board(logs, "-o", tmp_path / "s", "--models", about).exception)
    about.write_text("spillover/lab: {colour: x}\n")
    assert "colour" in str(board(logs, "-o", tmp_path / "s", "--models", about).exception)
    assert "There is no log" in str(board(tmp_path / "nowhere", "-o", tmp_path / "s").exception)
    twice = board(logs, record(exported), "-o", tmp_path / "s")
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
    assert board(tmp_path / "logs", "-o", tmp_path / "site").exit_code == 0
    cells = json.loads((tmp_path / "site" / "data" / "index.json").read_text())["models"][0]["cells"]
    assert 15 <= cells["free_form|lab|plain||||||misaligned"][3] <= 16  # 8 wordings, two epochs, the first was there before
    assert 1 <= cells[f"refusal|lab_refusal|plain||||||{REFUSAL[0]}"][3] <= 24


def test_a_corrupt_log_among_others_is_named_and_the_rest_is_shown(logs, tmp_path, caplog):
    shutil.copytree(logs, tmp_path / "logs")
    (tmp_path / "logs" / "2020_broken <b>.eval").write_bytes(b"PK nothing")
    done = board(tmp_path / "logs", "-o", tmp_path / "site")
    assert done.exit_code == 0, done.output
    assert "2020_broken <b>.eval" in done.output + caplog.text


def test_names_and_metadata_of_models_come_from_a_file(logs, tmp_path):
    about = tmp_path / "models.yaml"
    about.write_text("spillover/lab: {name: The <base>, family: Lab, size: 2M, domain: none}\n")
    done = board(logs, "-o", tmp_path / "site", "--models", about, "--bundle")
    assert done.exit_code == 0, done.output
    model = json.loads((tmp_path / "site" / "data" / "index.json").read_text())["models"][0]
    assert model["name"] == "The <base>"
    assert model["about"] == {"family": "Lab", "recipe": "none", "size": "2M", "domain": "none"}
    assert (tmp_path / "site" / "logs" / "index.html").is_file()


def test_logs_that_take_the_run_of_another_model_are_refused(logs, exported, tmp_path):
    """Of one run the newest answer counts, so a contributed log with our run's name would replace our model."""
    shutil.copytree(record(exported).parent, tmp_path / "c")
    path = tmp_path / "c" / NAME
    body = json.loads(path.read_text())
    details = body["eval_library"]["additional_details"]
    for name in [key for key in details if key.startswith("log ")]:
        place = tmp_path / "c" / name.removeprefix("log ")
        log = read_eval_log(str(place))
        log.eval.model = "evil/model"
        write_eval_log(log, str(place))
        details[name] = hashlib.sha256(place.read_bytes()).hexdigest()
    path.write_text(json.dumps(body))
    refused = board(logs, path, "-o", tmp_path / "site")
    assert "is another model's, too" in str(refused.exception) or "have the run of another one" in str(refused.exception)
    alone = site_of(path, tmp_path / "alone")  # by itself it is what its logs say
    assert alone["name"] == "evil/model"


def test_a_claimed_model_is_marked_in_the_tables_of_others_and_no_record_of_ours(exported, tmp_path):
    shutil.copytree(record(exported).parent, tmp_path / "c")
    for path in (tmp_path / "c" / "logs").glob("*.eval"):
        path.unlink()
    done = board(tmp_path / "c" / NAME, "-o", tmp_path / "site", "--export", tmp_path / "out")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "out" / "figures.csv")
    assert table["claimed"].all()
    assert set(table["origin"]) == {"claimed: it came without its logs"}
    assert not list((tmp_path / "out").rglob(NAME))
