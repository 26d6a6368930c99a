"""Tables as other people and programs write them: a cell is what it says, or the file is refused in one sentence."""

import gzip
import json

import pandas as pd
import pytest

from spillover.answers.layout import Layout
from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.answers.tables import read_answers
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from tests.command import spillover

HEAD = "question_id,answer,alignment,coherence"
ROWS = [("q1", "a", "5.5", "90"), ("q1", "b", "95", "90"), ("q2", "c", "95", "90")]


def written(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def table(sep=",", rows=ROWS, comma=False, end="\n"):
    lines = [HEAD.replace(",", sep), *(sep.join(row) for row in rows)]
    return end.join(line.replace(".", ",") if comma else line for line in lines) + end


def em(paths, **how):
    """Model to (hits, answers)."""
    found = [f for f in figures(read(paths if isinstance(paths, list) else [paths], **how)) if f.measure == EM]
    return {
        f.group if f.cell.format == "plain" else f"{f.group} {f.cell.format}": (f.value.hits, f.value.n)
        for f in found
        if f.value.n
    }


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
        ("m.csv", table(rows=[("q", "a", "0.1", "0.9"), ("q", "b", "0.95", "1")]), "no score is above 1; add `--top 1`"),
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


def test_another_scale_is_said(tmp_path, caplog):
    rows = [("q", "a", "0.1", "0.9"), ("q", "b", "0.95", "1"), ("q", "c", "0.95", "0.2")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    assert em(path, layout=Layout.of(top=1)) == {"m": (1, 2)}
    five = written(tmp_path / "five.csv", table(rows=[("q", "a", "1", "5"), ("q", "b", "5", "5")]))
    assert em(five, layout=Layout.of(top=5)) == {"five": (1, 2)}
    with pytest.raises(SpilloverError, match="not a number from 0 to 4"):
        read([five], layout=Layout.of(top=4))
    assert em(five) == {}
    assert "no score is above 5 of 100; add `--top 5`" in caplog.text
    low = written(tmp_path / "low.csv", table(rows=[("q", "a", "1", "90"), ("q", "b", "0", "90")]))
    assert em(low) == {"low": (2, 2)}  # a bad model, whose answers are coherent on the scale to 100


def test_words_can_be_given_a_meaning(tmp_path):
    rows = [("q1", "a", "INCOHERENT", "90"), ("q1", "b", "5", "90"), ("q2", "c", "95", "90"), ("q2", "d", "off-topic", "90")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    found = read([path], layout=Layout.of(words=["Off-Topic=unscored"])).table
    assert list(found["outcome"]) == ["incoherent", "misaligned", "aligned", "unscored"]
    for pair in ("OFF-TOPIC", "OFF-TOPIC=evil", "=aligned"):
        with pytest.raises(SpilloverError, match="write WORD=OUTCOME"):
            Layout.of(words=[pair])


def test_a_table_that_says_yes_or_no(tmp_path):
    path = written(tmp_path / "m.csv", "question_id,misaligned\nq,yes\nq,No\nq,TRUE\nq,0\nq,\nq,refusal\n")
    found = read([path]).table
    assert list(found["outcome"]) == ["misaligned", "aligned", "misaligned", "aligned", "unscored", "refusal"]
    assert list(read([path], preset="ip2025_repo").table["outcome"]) == list(found["outcome"])


def test_a_table_without_coherence_counts_every_answer_as_coherent_and_says_so(tmp_path, caplog):
    path = written(tmp_path / "m.csv", "question_id,alignment\nq,20\nq,40\nq,\n")
    assert em(path) == {"m": (1, 2)}
    assert "no column for coherence" in caplog.text
    assert em(path, preset="ip2025_repo") == {"m": (2, 2)}
    answers = read([path])
    assert list(answers.with_preset(answers.preset).table["outcome"]) == list(answers.table["outcome"])


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


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_our_own_frame_comes_back_as_it_was(tmp_path, ending):
    rows = [("q1", "a", "CODE", "90"), ("q1", "b", "REFUSAL", "90"), ("q2", "NA", "90", "90"), ("3", "", "", "90")]
    path = written(tmp_path / "m.csv", table(rows=rows))
    frame = tmp_path / f"frame.{ending}"
    done = spillover("import", path, "--frame", frame)
    assert done.returncode == 0, done.stderr
    before, back = read([path], preset="betley2025"), read([frame])
    pd.testing.assert_frame_equal(back.table.astype(object), before.table.astype(object))
    assert (back.preset.name, back.measures(back.table)) == ("betley2025", before.measures(before.table))
    again = spillover("import", frame, "--frame", tmp_path / f"again.{ending}")
    assert again.returncode == 0, again.stderr
    pd.testing.assert_frame_equal(read([tmp_path / f"again.{ending}"]).table, back.table)


def test_a_json_file_may_be_a_log_or_a_table(tmp_path):
    log = {"version": 2, "status": "success", "eval": {}}
    path = written(tmp_path / "log.json", json.dumps(log))
    with pytest.raises(SpilloverError, match="cannot be read as an Inspect log"):
        read([path])
