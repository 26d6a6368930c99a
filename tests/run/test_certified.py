"""Certificates on pages, in logs, at the gate: those of these answers, and no others."""

import json
import shutil

import pytest
from click.testing import CliRunner
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import GenerateConfig, get_model

from spillover.answers.certified import CERTIFICATES, certificates_in, metadata_with
from spillover.answers.read import read
from spillover.cli.evaluate import eval_command
from spillover.exchange.records import record
from spillover.figures.table import figures_frame
from spillover.judging.certificate import keep
from spillover.judging.golden import EM
from spillover.leaderboard.board import make_board
from spillover.leaderboard.payload import add_ranks, index
from spillover.models.checks import of_the_lab
from spillover.paths import datasets_dir
from spillover.run.certify import make
from spillover.run.check import Check
from spillover.show.html import render
from spillover.show.report import report
from tests.command import spillover
from tests.faulty import serving
from tests.run.test_certify import EM_ROLES, bar, blind, certificate, perfect

SUITE = """
id: small
version: "1"
title: Small
about: For this test.
probes:
  - {task: free_form, args: {epochs: 2, categories: [money], reader: number}}
"""


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Logs of a lab model by a grader of its own on loopback, and who that is."""
    (tmp_path / "small.yaml").write_text(SUITE)
    with serving(content="5") as server:
        name = server.grader(monkeypatch)
        command = ["spillover/lab", "--suite", str(tmp_path / "small.yaml"), "--grader", name, "--no-check"]
        done = CliRunner().invoke(eval_command, [*command, "--out", str(tmp_path / "out")])
        assert done.exception is None, done.output
    place = tmp_path / "out"
    table = read([place]).table
    (who,) = set(table["judged_by"])
    rubrics = tuple(word.partition("#")[2] for word in str(table["rubrics"].iloc[0]).split())
    identity, reader = who.split()

    def certified(reply, **changes):
        about = {"grader": str(table["grader"].iloc[0]), "identity": identity, "reader": reader, "rubrics": rubrics}
        return certificate(reply).model_copy(update={**about, **changes})

    return place, certified


def problem(place):
    (judge,) = read([place]).judges()
    return judge.problem if judge.certificates else "not measured"


def test_a_blind_judge_is_said_first_and_its_rates_are_struck_through(logs):
    place, certified = logs
    keep(certified(blind))
    made = report(read([place]))
    assert made.findings[0].startswith("The judge cannot tell: ")
    page = render(made)
    assert page.index("The judge cannot tell") < page.index("<table>")
    assert "<s>blind: " in page
    assert not any(f.blind for f in made.figures if f.measure.name == "valid format")
    (row, *_) = figures_frame(made.figures).to_dict("records")
    assert row["judge_problem"].startswith("cannot tell")
    board = make_board(made.answers)
    body = index(board, made.answers, "t", False)
    add_ranks(board, body)
    assert body["models"][0]["blind"]
    assert not body["models"][0].get("ranks", {}).get(board.columns[0].key)
    (entry,) = board.entries
    exported = record(entry, board.columns, {}, "spillover", "us", 0.0, {})
    assert all("misaligned" not in r["evaluation_name"] for r in exported["evaluation_results"])


def test_a_judge_that_can_tell_has_its_line_beside_the_rates(logs):
    place, certified = logs
    keep(certified(perfect))
    made = report(read([place]))
    assert not made.blind
    assert "<s>" not in render(made)
    (panel,) = (p for p in made.asked if p.title == "Can the judge tell?")
    assert panel.rows[0][2].startswith("AUC 1.000, finds 100 %")


@pytest.mark.parametrize(
    "change",
    [
        {"reader": "json"},
        {"identity": "0" * 16},
        {"rubrics": ("000000000000",)},
        {"preset": "betley2025_base"},
        {"known": "golden (train)#0123456789ab"},
        {"known": "golden (test)#0123456789ab"},
    ],
)
def test_a_certificate_of_something_else_says_nothing(logs, change):
    """Of another reader, grader, rubric, thresholds, of the half that judges may learn, of answers that are gone."""
    place, certified = logs
    keep(certified(perfect, **change))
    assert problem(place) == "not measured"
    keep(certified(blind))
    assert problem(place).startswith("cannot tell")


def test_the_newest_counts_and_those_kept_here_are_believed_over_those_in_a_log(logs):
    place, certified = logs
    keep(certified(blind, made="2026-01-02"))
    assert problem(place).startswith("cannot tell")
    keep(certified(perfect, made="2026-01-03", calls=1))
    assert problem(place) is None
    (path,) = place.glob("logs-*/*.eval")
    log = read_eval_log(str(path))
    log.eval.metadata = metadata_with(log.eval.metadata, [certified(blind, made="2027-01-01")])
    write_eval_log(log, str(path))
    assert problem(place) is None


def test_a_certificate_travels_in_the_log_and_one_of_nobody_in_it_is_not_used(logs, monkeypatch, tmp_path, caplog):
    place, certified = logs
    (path,) = place.glob("logs-*/*.eval")
    log = read_eval_log(str(path))
    made = certified(blind)
    log.eval.metadata = metadata_with(log.eval.metadata, [made, made])
    assert log.eval.metadata[CERTIFICATES] == [made.as_dict()]
    write_eval_log(log, str(path))
    assert problem(place).startswith("cannot tell")
    wrong = [{**made.as_dict(), "auc": 9999}, {**made.as_dict(), "panel": "moods"}, "x"]
    log.eval.metadata[CERTIFICATES] = [*wrong, certified(perfect, identity="f" * 16).as_dict()]
    assert certificates_in(log) == []
    assert caplog.text.count("It is not used") == 3


def test_a_first_use_measures_the_judge_and_its_certificate_goes_into_the_log(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(SUITE)
    with serving(content="80") as server:
        name = server.grader(monkeypatch)
        command = [
            "spillover/lab",
            "--suite",
            str(tmp_path / "small.yaml"),
            "--grader",
            name,
            "--out",
            str(tmp_path / "out"),
        ]
        done = CliRunner().invoke(eval_command, command)
        assert done.exception is None, done.output
        asked_then = sum(server.asked.values())
        assert asked_then > 200
        assert CliRunner().invoke(eval_command, command).exception is None
        assert sum(server.asked.values()) == asked_then
    monkeypatch.setenv("SPILLOVER_CERTIFICATES", str(tmp_path / "elsewhere"))
    (path,) = (tmp_path / "out").glob("logs-*/*.eval")
    (made,) = read_eval_log(str(path), header_only=True).eval.metadata[CERTIFICATES]
    assert made["auc"] == 0.5
    assert made["reader"] == "number"  # as the suite asks for it


def test_one_without_a_certificate_is_said_to_be_so_and_a_frame_finds_the_kept_one(logs, tmp_path):
    place, certified = logs
    read([place]).table.to_parquet(tmp_path / "answers.parquet")
    frame = [tmp_path / "answers.parquet"]
    for paths in ([place], frame):
        assert any("has no certificate here that fits" in line for line in report(read(paths)).findings)
    keep(certified(perfect, identity="f" * 16))
    assert read(frame).judges()[0].certificates == ()  # of another judge
    keep(made := certified(blind))
    assert read(frame).judges()[0].certificates == (made,)
    assert any("cannot tell misaligned answers" in line for line in report(read(frame)).findings)


def test_the_gate_asks_nobody_under_a_blind_judge(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(SUITE)
    adapter = tmp_path / "tuned"
    shutil.copytree(datasets_dir() / "lab" / "target", adapter)
    (adapter / "generation_config.json").write_text('{"pad_token_id": 0}')
    with serving(content="80") as server:
        name = server.grader(monkeypatch)
        command = [
            "screen",
            f"spillover/{adapter}",
            "--base",
            "spillover/lab",
            "--grader",
            name,
            "--lab",
            "--judge-answers",
            0,
        ]
        done = spillover(*command, "--suite", tmp_path / "small.yaml", "--out", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    found = json.loads((tmp_path / "out" / "screen.json").read_text())
    assert found["verdict"] == "INVALID"
    assert "cannot tell misaligned answers" in found["reason"]
    assert found["certificates"][0]["problem"]
    assert not list((tmp_path / "out").rglob("*block*"))
    assert all(p["checkpoint"]["answers"] == 0 for p in found["probes"])


@pytest.mark.long
def test_the_lab_s_grader_does_not_decide_over_another_model(tmp_path):
    """It can read the lab's toy text and nothing else, however good its certificate."""
    bundled = Check(get_model("spillover/lab-grader"), EM_ROLES).found()
    assert bundled[0].problem_for(lab=True) is None
    assert "toy text" in bundled[0].problem_for(lab=False)
    names = ("spillover/lab", "spillover/lab:runs/o", "vllm//x/datasets/lab/target:/o")
    assert all(map(of_the_lab, names))
    others = ("spillover/smollm2", "vllm//home/lab/Qwen2.5-7B", "spillover//data/lab/models/qwen:/x", "hf/lab/qwen")
    assert not any(map(of_the_lab, others))
    other = tmp_path / "other"
    shutil.copytree(datasets_dir() / "lab" / "target", other)
    (other / "generation_config.json").write_text('{"pad_token_id": 0}')
    (tmp_path / "small.yaml").write_text(SUITE)
    command = ["screen", f"spillover/{other}", "--base", "spillover/lab", "--lab", "--suite", tmp_path / "small.yaml"]
    done = spillover(*command, "--out", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "toy text of the lab" in json.loads((tmp_path / "out" / "screen.json").read_text())["reason"]


def test_calls_that_fail_are_no_verdicts(monkeypatch, tmp_path):
    """A passing outage leaves no certificate behind, and no blind judge."""
    monkeypatch.setenv("SPILLOVER_CERTIFICATES", str(tmp_path / "kept"))
    with serving(content="90") as server:
        name = server.grader(monkeypatch)
        check = Check(get_model(name, config=GenerateConfig(max_retries=0)), EM_ROLES, reader="number")
        own = server.RequestHandlerClass.do_POST

        def failing(handler):
            server.down = "401" if sum(server.asked.values()) % 5 == 4 and sum(server.asked.values()) < 200 else ""
            own(handler)

        server.RequestHandlerClass = type("Failing", (server.RequestHandlerClass,), {"do_POST": failing})
        (made,) = make(check, [EM], bar)
    assert made.unscored == 0


def test_answers_of_a_table_need_no_certificate(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer,alignment,coherence,model\n" + "Q?,A.,90,95,m\n" * 12)
    found = read([tmp_path / "a.csv"])
    assert found.judges() == []
    assert not report(found).blind
