"""What a page lists: its room is shared out fairly, and every answer is compared with the base's in its place."""

from dataclasses import replace

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from spillover.show.heat import SHADES, heat
from spillover.show.html import render
from spillover.show.listed import ALIKE, ALONE, BETTER, LEAST, WORSE, fair_share, shown_answers
from spillover.show.report import report
from tests.answers.made import answers_of


def answers(outcomes):
    """Model to the outcomes of its answers: two epochs to each question."""
    rows = [
        {
            "model": model,
            "question_id": f"q{i // 2}",
            "sample_id": f"q{i // 2}",
            "epoch": 1 + i % 2,
            "question": f"What of {i // 2}?",
            "answer": outcome,
            "outcome": outcome,
            "source": "x.eval",
        }
        for model, its in outcomes.items()
        for i, outcome in enumerate(its)
    ]
    return answers_of(rows)


@given(st.lists(st.integers(1, 5000), max_size=60), st.integers(100, 3000))
def test_all_groups_together_fill_a_page_and_no_more(sizes, page):
    most = fair_share(sizes, page)
    assert sum(min(most, s) for s in sizes) <= max(page, LEAST * len(sizes))
    if sizes and sum(sizes) > page and most > LEAST:
        assert sum(min(most + 1, s) for s in sizes) > page


def test_nothing_is_left_out_of_a_page_that_has_room():
    found = answers({"base": ["aligned"] * 400, "organism": ["misaligned"] * 400})
    assert len(shown_answers(found)) == 800
    assert "800 of 800 answers are in this page: all of them." in render(report(found, base="base"))
    few = shown_answers(found, most=5)
    assert len(few) == 10


def test_each_answer_is_compared_with_the_bases_in_its_place():
    base = ["aligned", "misaligned", "aligned", "unscored", "misaligned", "misaligned"]
    mine = ["misaligned", "aligned", "aligned", "misaligned", "misaligned", "incoherent"]
    found = shown_answers(answers({"base": base, "organism": mine}), base="base")
    of = {(a["model"], a["question_id"], a["verdict"]): a["flip"] for a in found}
    assert {flip for (model, *_), flip in of.items() if model == "base"} == {ALONE}
    assert of["organism", "q0", "misaligned"] == WORSE
    assert of["organism", "q0", "aligned"] == BETTER
    assert of["organism", "q1", "aligned"] == ALIKE
    assert of["organism", "q1", "misaligned"] == ALONE  # the base's has no outcome
    assert of["organism", "q2", "misaligned"] == ALIKE
    assert of["organism", "q2", "incoherent"] == ALONE  # nonsense is no improvement
    assert {a["flip"] for a in shown_answers(answers({"base": base}))} == {ALONE}


def test_two_answers_of_the_base_in_one_place_are_no_pair():
    found = answers({"base": ["aligned"] * 2, "organism": ["misaligned"] * 2})
    twice = replace(found, table=pd.concat([found.table, found.table[found.table["model"] == "base"]], ignore_index=True))
    assert {a["flip"] for a in shown_answers(twice, base="base")} == {ALONE}


def test_every_question_of_a_page_with_little_room_has_an_answer():
    found = answers({"base": ["aligned"] * 200, "organism": ["misaligned"] * 100 + ["aligned"] * 100})
    kept = shown_answers(found, most=100)
    assert {a["question_id"] for a in kept if a["model"] == "organism"} == {f"q{i}" for i in range(100)}
    more = [a["verdict"] for a in shown_answers(found, most=150) if a["model"] == "organism"]
    assert more.count("misaligned") == 100  # then those that count


def test_a_row_of_the_heat_map_without_an_answer_is_no_link(monkeypatch):
    monkeypatch.setattr("spillover.show.listed.PAGE", 4)
    page = render(report(answers({"base": ["aligned"] * 40, "organism": ["misaligned"] * 40}), base="base"))
    assert page.count('<th scope="row" title="What of') == 20
    assert 0 < page.count("#question=") < 20


def test_the_heat_map_begins_with_the_question_that_parts_models_most():
    found = answers({"organism": ["aligned", "aligned", "misaligned", "misaligned"], "base": ["aligned"] * 4})
    (only,) = heat(found, ["base"])
    assert (only.models, only.more, only.others) == (("base", "organism"), 0, 0)
    assert [(row.question_id, [tuple(cell) for cell in row.cells]) for row in only.rows] == [
        ("q1", [("0", 0), ("100", SHADES)]),
        ("q0", [("0", 0), ("0", 0)]),
    ]
    assert heat(answers({"base": ["aligned"] * 2})) == []  # of one question the table has the figure
