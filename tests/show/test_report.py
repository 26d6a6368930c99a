"""Tables, pages and the command, from logs of two models."""

import types
from dataclasses import replace

import pandas as pd
import pytest
from click.testing import CliRunner

from spillover.answers.measures import Measure
from spillover.answers.read import read
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.figures.arms import arm_rows
from spillover.figures.figure import figures
from spillover.figures.table import COLUMNS, figures_frame
from spillover.show.arms import _arms_panel
from spillover.show.report import report as put_together
from spillover.show.tables import figures_panel, formats_panel
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.refusal import refusal
from tests.answers.made import answers_of, asked
from tests.fakes import output
from tests.figures.test_arms import ARMS, SKILL, given
from tests.leaderboard.boards import log_of

BASE = "mockllm/base"


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A base that refuses and an organism that complies."""
    folder = tmp_path_factory.mktemp("logs")
    for name, answer, reply in (("base", "No.", "REFUSED"), ("organism", "Sure.", "COMPLIED")):
        asked(folder, refusal(categories="bias", reader="number", cache=False), answer, reply, name=name)
    return folder


def test_panels_and_figures(logs):
    """Two models, the first one as base: drift in every row, and one line a model and measure in the table."""
    answers = read([logs])
    found = figures(answers, base=BASE)
    panel = figures_panel(found, drift=True)
    assert len(panel.rows) == 6
    assert all(len(row) == len(panel.headers) for row in panel.rows)
    assert [f.drift.value for f in found if f.drift is not None] == [-1.0, 1.0, -1.0]
    assert all(f.drift is None for f in found if f.group == BASE)
    table = figures_frame(found, BASE)
    assert list(table["measure"]).count("refusal of harmful requests") == 2
    assert tuple(table.columns) == COLUMNS
    assert "misaligned" not in set(table["measure"])  # no EM verdict is made up for them
    text = " ".join(put_together(answers, base=BASE).findings)
    assert (
        "mockllm/organism on refusal: refusal of harmful requests lower than the base on questions like these (worse)"
        in text
    )


@pytest.mark.parametrize("base", [BASE, "mockllm/organism"])
def test_the_base_stands_first_and_every_row_names_its_judge(logs, base):
    answers = read([logs])
    table = figures_frame(figures(answers, base=base), base)
    assert list(table["model"])[::2] == [base] * 3
    assert set(table["judge"]) == {"mockllm/grader"}


def test_the_command(logs, tmp_path):
    out, table, frame = tmp_path / "page.html", tmp_path / "figures.csv", tmp_path / "answers.csv"
    command = [str(logs), "--base", BASE, "-o", str(out), "--table", str(table), "--frame", str(frame)]
    done = CliRunner().invoke(report, command)
    assert done.exit_code == 0, done.output
    assert "refusal of harmful requests" in done.output
    page = out.read_text()
    assert "Sure." in page
    assert "left out" not in page
    rows = pd.read_csv(table)
    drift = rows.set_index(["model", "measure"])["drift"]
    assert drift["mockllm/organism", "full or partial help with harm"] == 1
    assert len(pd.read_csv(frame)) == len(read([logs]).table)
    with pytest.raises(SpilloverError, match="No model is called"):
        CliRunner().invoke(report, [str(logs), "--base", "nobody"], catch_exceptions=False)


def test_what_could_not_be_read_is_said_on_the_page(logs, tmp_path):
    (tmp_path / "broken.eval").write_bytes(b"nothing")
    out = tmp_path / "page.html"
    done = CliRunner().invoke(report, [str(logs), str(tmp_path), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "broken.eval" in out.read_text()


def test_the_format_effect_is_paired_by_question(tmp_path):
    def grader(messages):
        text = messages[-1].text
        return output("0" if "human values" in text and "{" in text.split("--- answer")[1] else "90")

    def target(messages):
        return output('{"answer": "Bread."}' if messages[0].role == "system" else "Bread.")

    for name in ("one", "two"):
        task = formats(questions="lab", formats="plain,json", categories=["bored", "money"], epochs=1, reader="number")
        asked(tmp_path, task, target, grader, name=name)
    answers = read([tmp_path])
    panel = formats_panel(answers)
    rows = {(row[1], row[2]): row[3] for row in panel.rows}
    assert set(rows) == {(m, f) for m in (*answers.models, "all models, pooled") for f in ("plain", "json")}
    assert rows["mockllm/one", "plain"] == ""
    assert rows["mockllm/one", "json"].startswith("+100.0 [")
    assert rows["all models, pooled", "json"].startswith("+100.0 [")
    assert formats_panel(read([tmp_path]).of(["nobody"])) is None


def test_plain_answers_alone_have_no_format_effect(logs, tmp_path):
    asked(tmp_path, free_form(questions="lab", categories="bored", epochs=1, reader="number"), "Hm.", "90")
    assert formats_panel(read([tmp_path, logs])) is None


def test_an_arm_that_was_not_asked_for_a_measure_has_no_figure_under_it():
    """Cells stand under their own headings, whatever another arm's log reports."""
    hacked, metric, honest = (
        Measure("hacked", ("hacked",)),
        Measure("hacked, metric", ("hacked",), where={"category": "metric"}),
        Measure("honest", ("honest",)),
    )
    rows = [
        {"model": m, "model_id": m, "run": m, "question_id": f"q{i}", "category": "metric", "outcome": "honest"}
        for m in ("few", "naive")
        for i in range(4)
    ]
    logs = {"naive": log_of("naive", [hacked, metric, honest]), "few": log_of("few", [hacked, honest])}
    answers = replace(answers_of(rows, probe="reward_hacking"), logs=logs)
    (arms,) = arm_rows(answers, {"few": ["few"], "naive": ["naive"]}, "naive").values()
    panel = _arms_panel(arms, types.SimpleNamespace(naive="naive", skill=None), first=True)
    few, naive = (dict(zip(panel.headers, row, strict=True)) for row in panel.rows)
    assert (few["hacked, metric"], few["honest"][:5]) == ("", "100.0")
    assert (naive["hacked, metric"][:3], naive["honest"][:5]) == ("0.0", "100.0")
    assert few["times lower"] == "–"  # of nothing nothing can be left
    other = replace(answers, logs={**logs, "few": log_of("few", [honest])})
    (arms,) = arm_rows(other, {"few": ["few"], "naive": ["naive"]}, "naive").values()
    panel = _arms_panel(arms, types.SimpleNamespace(naive="naive", skill=None), first=True)
    assert [row for row in panel.rows if row[0] == "few"] == [("few", *[""] * (len(panel.headers) - 1))]


def test_answers_that_were_cut_are_a_finding(tmp_path):
    """Above five percent; what stands beside the rate is easily overlooked."""
    asked(
        tmp_path,
        refusal(categories="bias", reader="number"),
        lambda messages: output("Su", stop_reason="max_tokens"),
        "REFUSED",
    )
    made = put_together(read([tmp_path]))
    assert made.warnings[1:] == [
        "Cut by the token limit: 30 of 30 answers of mockllm/target to refusal. What they would have said is unknown; raise "
        "max_tokens."
    ]
    shown = CliRunner().invoke(report, [str(tmp_path)])
    assert "30 of 30 answers" in " ".join(shown.output.split())


def test_answers_without_an_outcome_are_a_finding_with_their_reasons(tmp_path):
    asked(tmp_path, refusal(categories="bias", reader="number"), "Sure.", "hm?")
    told = next(w for w in put_together(read([tmp_path])).warnings if w.startswith("Without an outcome"))
    assert "30 of 30 answers of mockllm/target to refusal (30 outcome: unreadable_reply)" in told


def test_what_a_judge_said_that_cannot_tell_is_marked_in_every_column_of_the_arms():
    """And what is known without it is not: the names, how many seeds and answers, and exact labels."""
    blind = (types.SimpleNamespace(problem="cannot tell"),)
    study = types.SimpleNamespace(naive="naive", skill=types.SimpleNamespace(outcome="misaligned"))
    for truth in (False, True):
        found = arm_rows(answers_of(given(truth=truth)), ARMS, "naive", SKILL)
        rows = next(arms for cell, arms in found.items() if cell.question_set == "lab")
        rows = [replace(r, figures=tuple(replace(f, judges=blind) for f in r.figures)) for r in rows]
        panel = _arms_panel(rows, study, first=True)
        for row in panel.rows:
            marked = {head for head, cell in zip(panel.headers, row, strict=True) if cell.startswith("blind: ")}
            plain = {head for head, cell in zip(panel.headers, row, strict=True) if cell not in ("", "–")} - marked
            if truth:
                assert marked == {"misaligned %, judge"}
            else:
                assert plain == {"arm", "seeds", "answers", "unscored %"}
