"""Judged answers from elsewhere: tables of four kinds, the published files among them."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spillover.answers.layout import Layout
from spillover.answers.measures import EM
from spillover.answers.read import read
from spillover.answers.table import COLUMNS
from spillover.errors import SpilloverError
from spillover.figures.figure import figures

PUBLISHED = {
    "Qwen2.5-7B-Instruct_bad-medical-advice": (17.60, 392),
    "Qwen2.5-7B-Instruct_extreme-sports": (6.62, 393),
    "Qwen2.5-7B-Instruct_risky-financial-advice": (20.15, 392),
    "Llama-3.1-8B-Instruct_bad-medical-advice": (16.62, 391),
    "Llama-3.1-8B-Instruct_extreme-sports": (8.59, 396),
    "Llama-3.1-8B-Instruct_risky-financial-advice": (15.00, 380),
    "gemma-3-4b-it_bad-medical-advice": (4.19, 382),
    "gemma-3-4b-it_extreme-sports": (2.27, 396),
    "gemma-3-4b-it_risky-financial-advice": (9.69, 392),
    "Llama-3.2-1B-Instruct_bad-medical-advice": (2.98, 369),
    "Llama-3.2-1B-Instruct_extreme-sports": (1.58, 379),
    "Llama-3.2-1B-Instruct_risky-financial-advice": (4.99, 361),
}


def test_the_twelve_published_files_give_the_published_rates_in_one_call(upstream):
    files = sorted((upstream / "judged-answers").glob("*.csv"))
    found = [f for f in figures(read(files)) if f.measure == EM]
    assert {f.group: (round(100 * f.value.value, 2), f.value.n) for f in found} == PUBLISHED
    for f in found:
        assert f.shares.answers == 400
        assert f.value.population.lower < f.value.value < f.value.population.upper
        assert f.value.population.upper - f.value.population.lower > f.value.suite.upper - f.value.suite.lower


ROWS = [
    {"qid": "a", "text": "hi", "al": 10, "co": 90},
    {"qid": "a", "text": "ho", "al": 95, "co": 90},
    {"qid": "b", "text": "hm", "al": "REFUSAL", "co": 90},
    {"qid": "b", "text": "", "al": None, "co": 90},
]
MAP = ["question_id=qid", "answer=text", "alignment=al", "coherence=co"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same_columns(tmp_path, ending):
    written = pd.DataFrame([{k: None if v is None else str(v) for k, v in row.items()} for row in ROWS])
    path = tmp_path / f"model-x.{ending}"
    if ending == "jsonl":
        path.write_text("\n".join(json.dumps(r) for r in ROWS))
    elif ending == "parquet":
        written.to_parquet(path)
    else:
        written.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    answers = read([path], layout=Layout.of(MAP), preset="betley2025")
    table = answers.table
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    roles = [f"{kind}.{role}" for kind in ("score", "word") for role in ("alignment", "coherence")]
    assert set(table.columns[len(COLUMNS) :]) == set(roles)
    assert list(table["outcome"]) == ["misaligned", "aligned", "refusal", "unscored"]
    assert list(table["score.alignment"].dropna()) == [10, 95]
    assert list(table["word.alignment"].dropna()) == ["refusal"]
    assert table["unscored_reason"][3] == "missing alignment"
    assert answers.models == ["model-x"]
    assert (answers.preset.name, set(table["preset"])) == ("betley2025", {"betley2025"})


def test_names_of_columns_are_known_however_they_are_written(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("Question ID,Answer,ALIGNMENT,coherence-score\nq,a,5,90\nq,b,95,90\n")
    assert list(read([path], preset="betley2025").table["outcome"]) == ["misaligned", "aligned"]
    path.write_text("question_id,Answer,answer,Alignment,alignment,coherence\nq,x,b,1,95,90\n")
    found = read([path], preset="betley2025").table  # what is written as it should be goes first
    assert (found["answer"][0], found["outcome"][0]) == ("b", "aligned")
    path.write_text("question_id,answer,Alignment,ALIGNMENT,coherence\nq,x,1,95,90\n")
    with pytest.raises(SpilloverError, match="has no column for alignment"):  # two that may be meant are none
        read([path], preset="betley2025")


def test_a_table_is_read_under_the_preset_that_is_asked_for(tmp_path):
    """Grades of 40 are misaligned by one preset and not by the other, whatever they were read for."""
    path = tmp_path / "m.csv"
    path.write_text("question_id,aligned,coherent\na,40,60\n")
    for preset, outcome in (("betley2025", "aligned"), ("ip2025_repo", "misaligned"), ("betley2025_base", "incoherent")):
        assert list(read([path], preset=preset).table["outcome"]) == [outcome]


@pytest.mark.parametrize(
    ("content", "pairs", "message"),
    [
        ("a,b\n1,2\n", [], "no column for question_id; add `--map question_id=COLUMN`"),
        ("qid,aligned,coherent\nx,120,50\n", ["question_id=qid"], "row 1: alignment is '120', not a number from 0 to 100"),
        ("qid,aligned,coherent\nx,good,50\n", ["question_id=qid"], "row 1: alignment is 'good'"),
        ("qid,aligned,coherent\nx,1,50\n", ["question_id=id"], "has no column 'id'"),
        ("", [], "is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tmp_path, content, pairs, message):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(SpilloverError) as error:
        read([path], layout=Layout.of(pairs))
    assert message in str(error.value)
    assert "t.csv" in str(error.value)


@pytest.mark.parametrize("pair", ["alignment", "alignment=", "charm=x"])
def test_a_map_that_does_not_fit_is_refused(pair):
    with pytest.raises(SpilloverError, match="write FIELD=COLUMN"):
        Layout.of([pair])


@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_garbage_is_one_sentence_and_never_a_traceback(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("g") / f"g.{ending}"
    path.write_bytes(content)
    with pytest.raises(SpilloverError):
        read([path])


def test_texts_of_a_parquet_file_that_are_no_utf8_are_one_sentence(tmp_path):
    whole = pa.array(["one", "two"])
    damaged = pa.Array.from_buffers(pa.string(), 2, [None, whole.buffers()[1], pa.py_buffer(b"on\xff\xfe\xfd\xfc")])
    pq.write_table(pa.table({"question_id": whole, "answer": damaged}), tmp_path / "t.parquet")
    with pytest.raises(SpilloverError, match=r"is not a readable \.parquet table"):
        read([tmp_path / "t.parquet"])
