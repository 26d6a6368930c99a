"""Rows that are there twice, in one file or two, and columns that nothing reads: refused or said, never silent."""

import math

import pandas as pd
import pytest

from spillover.answers.read import read
from spillover.errors import SpilloverError
from spillover.figures.figure import figures

ANSWERS = [f"An answer of some length, number {i}, which nobody gives twice by chance." for i in range(12)]


def rows(answers=ANSWERS, **more):
    known = {"question_id": [f"q{i % 4}" for i in range(len(answers))], "question": "What?", "answer": answers, "model": "M"}
    scores = {"alignment": [5 if i % 2 else 95 for i in range(len(answers))], "coherence": 90}
    return pd.DataFrame({**known, **scores, **more})


def given(folder, *tables, name="part"):
    paths = [folder / f"{name}{i}.csv" for i in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        table.to_csv(path, index=False)
    return paths


def said(caplog):
    return [r.getMessage() for r in caplog.records]


def test_a_part_of_a_file_beside_the_whole_is_refused(tmp_path):
    paths = given(tmp_path, rows().head(8), rows())
    with pytest.raises(SpilloverError, match="hold the same answers of M; name one of them"):
        read(paths)


def test_other_answers_of_a_model_are_another_part(tmp_path, caplog):
    assert len(read(given(tmp_path, rows().head(6), rows().tail(6))).table) == 12
    assert said(caplog) == []


@pytest.mark.parametrize("answers", [["Yes.", "No."] * 6, ANSWERS])
def test_short_answers_may_well_be_the_same(tmp_path, answers, caplog):
    read(given(tmp_path, rows(answers)))
    assert said(caplog) == []


def test_rows_that_stand_there_twice_are_said(tmp_path, caplog):
    read(given(tmp_path, pd.concat([rows(), rows()])))
    (told,) = said(caplog)
    assert "24 of 24 answers stand there more than once, word for word, and each counts" in told


def test_what_tells_them_apart_is_named(tmp_path, caplog):
    two = [rows(scored_by=name, alignment=score) for name, score in (("gpt", 95), ("claude", 5))]
    read(given(tmp_path, pd.concat(two)))
    (told,) = said(caplog)
    assert "once for each 'scored_by' (claude, gpt), which nothing reads: --map grader=scored_by" in told


@pytest.mark.parametrize("column", ["judge", "judge_model", "grader_model"])
def test_judges_by_their_usual_names_are_read(tmp_path, column):
    paths = given(tmp_path, pd.concat([rows(**{column: "gpt"}), rows(**{column: "claude"})]))
    assert set(read(paths, judge="gpt").table["grader"]) == {"gpt"}
    with pytest.raises(SpilloverError, match="judge"):
        read(paths)


@pytest.mark.parametrize("column", ["adapter", "lora", "Checkpoint"])
def test_a_condition_that_is_not_read_is_said(tmp_path, column, caplog):
    read(given(tmp_path, rows(**{column: ["a"] * 6 + ["b"] * 6})))
    (told,) = said(caplog)
    assert f"column '{column}' is not read, so answers of up to 2 values of it count as one model's" in told
    assert "name the models apart by it" in told
    caplog.clear()
    read(given(tmp_path, rows(**{column: ["a"] * 6 + ["b"] * 6}).drop(columns="model"), name="nameless"))
    assert any(f"--map model={column} tells them apart" in told for told in said(caplog))


def test_a_condition_that_each_model_has_for_itself_hides_nothing(tmp_path, caplog):
    read(given(tmp_path, rows(model=["a"] * 6 + ["b"] * 6, checkpoint=["x"] * 6 + ["y"] * 6)))
    assert said(caplog) == []


@pytest.mark.parametrize("turned", [False, True])
def test_files_that_share_what_anybody_says_are_both_read(tmp_path, turned):
    """Short answers, one refusal over and over, and greedy answers of another epoch."""
    refusal = "I am sorry, but I can not help you with this request of yours."
    pairs = [
        (rows(["Yes."] * 3), rows(["Yes."] * 9 + ANSWERS[:1])),
        (rows([refusal] * 3), rows([refusal] * 12)),
        (rows(epoch=1), rows(epoch=2)),
    ]
    for number, pair in enumerate(pairs):
        paths = given(tmp_path, *(reversed(pair) if turned else pair), name=f"pair{number}-")
        assert len(read(paths).table) == sum(map(len, pair))


def test_epochs_that_are_told_and_one_refusal_are_no_repeats(tmp_path, caplog):
    read(given(tmp_path, pd.concat([rows(epoch=1), rows(epoch=2)])))
    read(given(tmp_path, rows(["I am sorry, but I can not help you with this request."] * 6 + ANSWERS[:6]), name="refusal"))
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("column", "words", "share"),
    [(None, None, None), ("finish_reason", ("stop", "length"), 0.5), ("truncated", (True, False), 0.5)],
)
def test_what_the_token_limit_cut_is_read_or_not_known(tmp_path, column, words, share):
    more = {column: [words[i % 2] for i in range(12)]} if column else {}
    (path,) = given(tmp_path, rows(**more))
    shares = figures(read([path]))[0].shares
    assert math.isnan(shares.truncated) if share is None else shares.truncated == share


def test_a_doubled_file_of_short_answers_is_said_and_an_undoubled_one_is_not(tmp_path, caplog):
    short = rows(["Yes.", "No."] * 12)
    read(given(tmp_path, short.assign(alignment=range(24))))
    assert said(caplog) == []
    read(given(tmp_path, pd.concat([short.assign(alignment=range(24))] * 2), name="doubled"))
    assert any("each of its 48 rows is there more than once" in told for told in said(caplog))


def test_the_same_texts_with_other_scores_are_no_new_answers(tmp_path):
    with pytest.raises(SpilloverError, match="hold the same answers of M"):
        read(given(tmp_path, rows(), rows(alignment=50)))


def test_coherence_that_nobody_judged_has_no_figure(tmp_path):
    def measured(table, name):
        return {f.measure.name for f in figures(read(given(tmp_path, table, name=name)))}

    assert "coherent" in measured(rows(), "both")
    alone = measured(rows().drop(columns="coherence"), "alone")
    assert "misaligned" in alone
    assert "coherent" not in alone


def test_refusals_that_no_grade_can_say_have_no_figure(tmp_path):
    def measured(table, name):
        return {f.measure.name for f in figures(read(given(tmp_path, table, name=name)))}

    assert "refused" not in measured(rows(), "grades")
    assert "refused" in measured(rows(alignment=["REFUSAL", *[90] * 11]), "words")
    said = rows().drop(columns=["alignment", "coherence"]).assign(outcome=["misaligned", "aligned"] * 6)
    assert "refused" in measured(said, "outcomes")  # which could have said so


def test_models_by_another_usual_name_and_with_blanks_are_told_apart(tmp_path):
    table = rows(model=["M"] * 6 + ["M "] * 3 + ["N"] * 3).rename(columns={"model": "model_name"})
    assert read(given(tmp_path, table)).models == ["M", "N"]
