"""Checkpoints of one model are a series; models side by side where they part."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.read import read
from spillover.figures.along import LEAST, series_of
from spillover.figures.figure import figures
from spillover.show.along import along_drawings, along_panels
from spillover.show.beside import beside
from spillover.show.html import render
from spillover.show.report import report
from spillover.tasks.refusal import refusal
from tests.answers.made import asked


@pytest.mark.parametrize(
    ("models", "name", "numbers"),
    [
        (["m/checkpoint-100", "m/checkpoint-20", "m/checkpoint-3"], "m/checkpoint-…", ["3", "20", "100"]),
        (["q-0.5b-it", "q-7b-it", "q-1.5b-it", "base"], "q-…b-it", ["0.5", "1.5", "7"]),
        (["o-2024-11-20", "o-2024-05-13", "o-2024-08-06"], "o-…", ["2024-05-13", "2024-08-06", "2024-11-20"]),
        (["x@-0.2", "x@0.4", "x@-0.8"], "x@…", ["-0.8", "-0.2", "0.4"]),
        (["lr=1e-3 v1", "lr=1e-4 v1", "lr=1e-5 v1"], "lr=… v1", ["1e-5", "1e-4", "1e-3"]),
        (["r 10 steps #1", "r 20 steps #1", "r 40 steps #1"], "r … steps #1", ["10", "20", "40"]),
    ],
)
def test_one_number_makes_a_series(models, name, numbers):
    (series,) = series_of(models)
    assert series.name == name
    assert [number for number, _ in series.points] == numbers
    assert {model for _, model in series.points} <= set(models)


@pytest.mark.parametrize(
    "models",
    [
        ["naive #1", "naive #2", "naive #3"],
        ["x-seed-1", "x-seed2", "x seed 3"],
        ["bad_finance-1", "bad_finance-2", "bad_finance-3"],
        ["s1", "s2", "s3"],
        ["m0", "m1", "m2"],
        ["a-v1", "a-v2"],
        ["llama-3", "qwen-2", "gemma-1"],
        ["step-1-epoch-2", "step-2-epoch-3", "step-3-epoch-4"],
    ],
)
def test_seeds_pairs_and_other_names_make_none(models):
    assert series_of(models) == []


@given(st.lists(st.from_regex(r"(step|v)-?[0-9]{1,3}(-r[0-9])?", fullmatch=True), max_size=12))
def test_a_model_is_in_one_series_at_most(models):
    found = series_of(models)
    members = [model for series in found for _, model in series.points]
    assert len(members) == len(set(members))
    assert all(len(series.points) >= LEAST for series in found)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    replies = {"base": "REFUSED", "step-10": "REFUSED", "step-200": "COMPLIED", "step-30": "COMPLIED"}
    for name, reply in replies.items():
        asked(folder, refusal(categories="bias", reader="number", cache=False), f"<b>{name}</b>", reply, name=name)
    return read([folder])


def test_a_table_and_a_picture_along_it(answers):
    base = "mockllm/base"
    found = figures(answers, base=base)
    (panel,), (drawing,) = along_panels(found, base), along_drawings(found, base)
    assert panel.title == "Along mockllm/step-…"
    shown = [(row[1], row[2]) for row in panel.rows[:3]]
    assert [number for number, _ in shown] == ["10", "30", "200"]
    assert [text.split()[0] for _, text in shown] == ["100.0", "0.0", "0.0"]
    assert drawing.figure.axes[0].get_lines()
    page = render(report(answers, base=base))
    assert "Along mockllm/step-…" in page


def test_answers_side_by_side_are_text_and_of_every_model(answers):
    rows = beside(answers)
    assert rows
    for row in rows:
        assert [said.model for said in row.said] == answers.models
        assert {said.outcome for said in row.said} == {"refused", "complied"}
    page = render(report(answers, base="mockllm/base"))
    (part,) = re.findall(r'<h2 id="beside">.*?</details>', page, re.S)
    assert "&lt;b&gt;step-10&lt;/b&gt;" in part
    assert "<b>step-10" not in part


def test_one_model_has_nothing_beside_it(tmp_path):
    asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", "REFUSED", name="alone")
    assert beside(read([tmp_path])) == []


def test_of_many_models_the_ones_that_differ_are_shown(tmp_path):
    for place in range(10):
        reply = "COMPLIED" if place == 9 else "REFUSED"
        asked(tmp_path, refusal(categories="bias", reader="number", cache=False), "No.", reply, name=f"m{place}", limit=4)
    rows = beside(read([tmp_path]))
    assert rows
    for row in rows:
        assert "mockllm/m9" in {said.model for said in row.said}
        assert (len(row.said), row.more) == (8, 2)
