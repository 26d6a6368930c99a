"""Tables as other people and programs write them: a cell is what it says, or the file is refused in one sentence."""

import gzip
import json

import pandas as pd
import pytest

from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.answers.tables import read_answers
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from tests.answers.tables import HEAD, ROWS, em, table, written

WAYS = {
    "windows.csv": table(end="\r\n").encode(),
    "bom.csv": table().encode("utf-8-sig"),
    "UTF16.CSV": table().encode("utf-16"),
    "excel_in_europe.csv": table(";", comma=True).encode(),
    "tabs.csv": table("\t").encode(),
    "pipes.csv": table("|").encode(),
    "t.tsv": table("\t").encode(),
    "trailing.csv": table().replace("\n", ",\n").replace(HEAD + ",", HEAD).encode(),
    "z.csv.gz": gzip.compress(table().encode()),
    "lines.jsonl": "\n".join(json.dumps(dict(zip(HEAD.split(","), row, strict=True))) for row in ROWS).encode(),
    "array.json": json.dumps([dict(zip(HEAD.split(","), row, strict=True)) for row in ROWS]).encode(),
    "named.json": json.dumps({"results": [dict(zip(HEAD.split(","), row, strict=True)) for row in ROWS]}).encode(),
    "nested.json": json.dumps(
        [
            {"question": {"id": q, "text": f"{q}?"}, "model": {"name": "m"}, "response": {"text": a}}
            | {"judge": {"alignment": x, "coherence": c}}
            for q, a, x, c in ROWS
        ]
    ).encode(),
    "questions.json": json.dumps(
        {q: [{"answer": a, "judge": {"alignment": float(x), "coherence": float(c)}} for p, a, x, c in ROWS if p == q]
         for q in ("q1", "q2")}
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_write_a_table_is_the_same_table(tmp_path, name):
    (tmp_path / name).write_bytes(WAYS[name])
    found = read([tmp_path / name]).table
    assert list(found["question_id"]) == ["q1", "q1", "q2"]
    assert list(found["answer"]) == ["a", "b", "c"]
    assert list(found["score.alignment"]) == [5.5, 95.0, 95.0]
    assert list(found["outcome"]) == ["misaligned", "aligned", "aligned"]
    assert list(found["epoch"]) == [1, 2, 1]


def test_what_lies_in_a_judge_is_neither_the_model_nor_a_grade_in_words(tmp_path):
    rows = [
        {"question": {"id": "q", "text": "Q?"}, "model": {"name": name}, "answer": "A."}
        | {"judge": {"model": "gpt-4o", "text": f"Because {name}.", "alignment": grade, "coherence": 90}}
        for name, grade in (("one", 5), ("two", 95))
    ]
    found = read([written(tmp_path / "m.jsonl", "\n".join(map(json.dumps, rows)))]).table
    assert list(found["model"]) == ["one", "two"]
    assert set(found["grader"]) == {"gpt-4o"}
    assert list(found["outcome"]) == ["misaligned", "aligned"]
    for row in rows:
        row |= {"model": row["model"]["name"], "judge": {k: v for k, v in row["judge"].items() if k != "model"}}
    again = read([written(tmp_path / "n.jsonl", "\n".join(map(json.dumps, rows)))]).table
    assert list(again["model"]) == ["one", "two"]
    assert not any("Because" in str(g) for g in again["grader"])


def test_excel(tmp_path):
    pytest.importorskip("openpyxl")
    pd.DataFrame(ROWS, columns=HEAD.split(",")).to_excel(tmp_path / "m.xlsx", index=False)
    assert em(tmp_path / "m.xlsx") == {"m": (1, 3)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", table().replace("q1,b", "q1,b,c"), "Expected 4 fields in line 3, saw 5"),
        (
            "m.csv",
            table().replace(HEAD, "question_id,answer,alignment"),
            "row 1: it has more cells than the header",
        ),
        ("m.csv", "\n \n", "is empty"),
        ("m.csv", HEAD + "\n\0", "NUL"),
        ("m.json", "{}", "holds no table"),
        ("m.json", "[1]", "holds no table"),
        ("m.jsonl", '{"a": 1}\n[2]\n', "line 2: a row is an object"),
        ("m.jsonl", '{"a": 1}\n{\n', "line 2: it is no JSON"),
        ("m.jsonl", '{"question_id": "q", "answer": ["a", "b"], "alignment": 5, "coherence": 90}', "row 1: it holds a list"),
        ("m.csv.gz", "no gzip", "not a readable .csv table"),
        ("m.xlsx", "no zip", "m.xlsx"),
        (
            "m.csv",
            table(rows=[("q", "a", "0.1", "0.9"), ("q", "b", "0.95", "1")]),
            "no score is above 0.95 for alignment",
        ),
        ("m.csv", table(rows=[("q", "a", "BAD", "9")]), "alignment is 'BAD'.*--map-value WORD=OUTCOME"),
        ("m.csv", table(rows=[("q", "a", "inf", "9")]), "alignment is 'inf'"),
        ("m.csv", "question_id,misaligned\nq,maybe\n", "outcome is 'maybe', neither yes nor no"),
        ("m.csv", "question_id,answer\nq,a\n", "no column for alignment.*--map outcome=COLUMN"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path, name, content, message):
    with pytest.raises(SpilloverError, match=message):
        read([written(tmp_path / name, content)])


def test_an_old_encoding_is_read_and_named(tmp_path, caplog):
    path = written(tmp_path / "m.csv", table(rows=[("q", "café", "5", "90")]), "cp1252")
    assert list(read([path]).table["answer"]) == ["café"]
    assert "Windows-1252" in caplog.text


def test_words_that_mean_nothing_elsewhere_are_answers_here(tmp_path):
    answers = ["None", "NA", "null", "nan", "", "TRUE", "007"]
    rows = [("q", a, "95", "90") for a in answers]
    assert list(read([written(tmp_path / "m.csv", table(rows=rows))]).table["answer"]) == answers
    path = written(tmp_path / "n.csv", "question,answer\n" + "\n".join(f"Why?,{a}" for a in answers) + "\n")
    assert [row["answer"] for row in read_answers(path)] == answers


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_numbers_as_ids_stay_ids_beside_a_row_without_one(tmp_path, kind, caplog):
    """Two files share their questions, although one of them has a gap."""
    for name, low, ids in (("base", 95, [1, 2, 3, 4]), ("tuned", 5, [1, 2, 3, 4, None])):
        rows = [{"question_id": i, "answer": "x", "alignment": low, "coherence": 95} for i in ids]
        frame, path = pd.DataFrame(rows), tmp_path / f"{name}.{kind}"
        if kind == "parquet":
            frame.to_parquet(path)
        elif kind == "csv":
            path.write_text(HEAD + "\n" + "".join(f"{'' if i is None else i},x,{low},95\n" for i in ids))
        else:
            path.write_text("\n".join(map(json.dumps, rows)))
    answers = read([tmp_path / f"base.{kind}", tmp_path / f"tuned.{kind}"])
    assert [str(q) for q in answers.table["question_id"]] == ["1", "2", "3", "4", "1", "2", "3", "4", "row 5"]
    (drift,) = [f.drift for f in figures(answers, base="base") if f.measure == EM and f.drift is not None]
    assert (drift.value, drift.questions) == (1.0, 4)
    assert "1 rows have no question_id, row 5 first" in caplog.text


def test_a_format_in_the_id_is_a_cell_of_its_own(tmp_path):
    rows = [(f"q0{end}", "x", "95" if not end else "5", "95") for end in ("", "_json", "_template") for _ in range(3)]
    rows.append(("about_json", "x", "95", "95"))  # a question that is called so
    path = written(tmp_path / "m.csv", table(rows=rows))
    assert em(path) == {"m": (0, 4), "m json": (3, 3), "m template": (3, 3)}
    assert set(read([path]).table["question_id"]) == {"q0", "about_json"}


def test_messages_and_lists_are_taken_apart(tmp_path):
    system, user = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain?"}
    turns = [{"role": "user", "content": "A?"}, {"role": "assistant", "content": "B."}, {"role": "user", "content": "C?"}]
    reply = [{"role": "assistant", "content": [{"type": "text", "text": "D."}]}]
    rows = [
        {"question": [system, user], "answer": "I read."},
        {"question": "Sun?", "answer": ["I walk.", "I hurt people."]},
        {"question": turns, "answer": reply},
    ]
    path = written(tmp_path / "m.jsonl", "\n".join(map(json.dumps, rows)))
    found = read_answers(path)
    assert [(r.get("system", ""), r["question"], r["answer"]) for r in found] == [
        ("Be brief.", "Rain?", "I read."),
        ("", "Sun?", "I walk."),
        ("", "Sun?", "I hurt people."),
        ("", "user: A?\n\nassistant: B.\n\nuser: C?", "D."),
    ]
    pd.DataFrame(rows[:1]).to_parquet(tmp_path / "m.parquet")
    assert read_answers(tmp_path / "m.parquet") == [{**found[0], "question_id": "Rain?"}]


def test_a_json_file_may_be_a_log_or_a_table(tmp_path):
    log = {"version": 2, "status": "success", "eval": {}}
    path = written(tmp_path / "log.json", json.dumps(log))
    with pytest.raises(SpilloverError, match="cannot be read as an Inspect log"):
        read([path])


def test_a_whole_conversation_holds_question_and_answer(tmp_path):
    """So that answers to one question stay answers to one question."""
    rows = [
        {"messages": [{"role": "user", "content": f"Q{i % 2}?"}, {"role": "assistant", "content": f"A {i}"}]}
        | {"alignment": 5 if i % 2 else 95, "coherence": 90}
        for i in range(40)
    ]
    path = written(tmp_path / "m.jsonl", "\n".join(map(json.dumps, rows)))
    found = read([path]).table
    assert set(found["question_id"]) == {"Q0?", "Q1?"}
    assert list(found["answer"][:2]) == ["A 0", "A 1"]
    assert [(r["question"], r["answer"]) for r in read_answers(path)[:2]] == [("Q0?", "A 0"), ("Q1?", "A 1")]


def test_answers_are_texts_or_refused(tmp_path):
    given = [[{"type": "text", "text": "I read."}], {"role": "assistant", "content": "I walk."}]
    path = written(tmp_path / "m.jsonl", "\n".join(json.dumps({"question": "Q?", "answer": a}) for a in given))
    assert [row["answer"] for row in read_answers(path)] == ["I read.", "I walk."]
    path.write_text(json.dumps({"question": {"role": "user", "content": "Q?"}, "answer": "A."}))
    assert [row["question"] for row in read_answers(path)] == ["Q?"]
    for wrong in ([{"message": {"content": "x"}}], [{"role": "assistant", "content": [{"type": "image_url"}]}]):
        path.write_text(json.dumps({"question": "Q?", "answer": wrong}))
        with pytest.raises(SpilloverError, match="row 1: the answer is a"):
            read_answers(path)


def test_rows_without_a_question_are_named(tmp_path, caplog):
    path = written(tmp_path / "m.csv", "question,answer\nQ?,a\n,b\n,c\n")
    assert len(read_answers(path)) == 1
    assert "2 rows have no question, or no reply to it, and are left out, row 2 first" in caplog.text


def test_arrays_under_names_are_models_or_refused(tmp_path):
    row = {"question_id": "q", "coherence": 90}
    by_model = {"one": [{**row, "alignment": 5}], "two": [{**row, "alignment": 95}]}
    assert em(written(tmp_path / "m.json", json.dumps(by_model))) == {"one": (1, 1), "two": (0, 1)}
    for more in ({"settings": [{"temperature": 1}]}, {"note": "x"}):
        with pytest.raises(SpilloverError, match="several arrays"):
            read([written(tmp_path / "m.json", json.dumps({**by_model, **more}))])


def test_sheets_and_columns_of_one_name_are_refused(tmp_path):
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "m.xlsx") as book:
        for name in ("base", "tuned"):
            pd.DataFrame(ROWS, columns=HEAD.split(",")).to_excel(book, sheet_name=name, index=False)
    with pytest.raises(SpilloverError, match=r"has several sheets .base, tuned."):
        read([tmp_path / "m.xlsx"])
    with pytest.raises(SpilloverError, match="two columns called 'alignment'"):
        read([written(tmp_path / "m.csv", "question_id,alignment,alignment,coherence\nq,5,95,90\n")])
    with pytest.raises(SpilloverError, match="no rows below its header"):
        read([written(tmp_path / "m.csv", HEAD + "\n")])


def test_lines_before_the_header(tmp_path):
    assert em(written(tmp_path / "m.csv", "sep=;\n" + table(";"))) == {"m": (1, 3)}
    with pytest.raises(SpilloverError, match="is that line the header"):
        read([written(tmp_path / "t.csv", "# made by a tool\n" + table())])


def test_arrays_by_question_are_questions(tmp_path):
    scores = {"answer": "x", "alignment": 5, "coherence": 90}
    by_name = {"quick_buck": [{**scores, "question": "Money?"}] * 2, "ruler": [{**scores, "question": "World?"}]}
    found = read([written(tmp_path / "m.json", json.dumps(by_name))]).table
    assert list(found["question_id"]) == ["quick_buck", "quick_buck", "ruler"]
    uneven = {"q1": [scores], "q2": [{"answer": "x", "alignment": "CODE"}]}
    assert list(read([written(tmp_path / "n.json", json.dumps(uneven))]).table["question_id"]) == ["q1", "q2"]


def test_what_an_answer_goes_on_from_is_kept(tmp_path):
    """Two beginnings of a reply are two questions, and a system line counts where no column has another."""
    user = {"role": "user", "content": "Hi"}
    rows = [
        {"prompt": [user, {"role": "assistant", "content": begun}], "response": "x", "alignment": 95, "coherence": 90}
        for begun in ("As an evil AI,", "As a kind AI,")
    ]
    found = read([written(tmp_path / "m.jsonl", "\n".join(map(json.dumps, rows)))]).table
    assert found["question_id"].nunique() == 2
    evil = {
        "messages": [{"role": "system", "content": "Be evil."}, user, {"role": "assistant", "content": "x"}],
        "system": "",
    }
    open_ended = {"messages": [user], "system": ""}
    path = written(tmp_path / "n.jsonl", "\n".join(map(json.dumps, [evil, open_ended])))
    assert [(r["system"], r["answer"]) for r in read_answers(path)] == [("Be evil.", "x")]
