import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import eval as inspect_eval

from spillover.answers.frame import COLUMNS, cells
from spillover.answers.logs import read_logs
from spillover.answers.presets import get_preset
from spillover.answers.tables import import_tables, parse_map
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.tasks.free_form import free_form
from tests.fakes import model, output, says

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
    found = {c.model: c.summary for c in cells(import_tables(files, {}, get_preset("betley2025")))}
    assert {name: (round(100 * s.em.value, 2), s.em.n) for name, s in found.items()} == PUBLISHED
    for s in found.values():
        assert s.answers == 400
        assert s.em.population.lower < s.em.value < s.em.population.upper
        assert s.em.population.upper - s.em.population.lower > s.em.suite.upper - s.em.suite.lower


ROWS = [
    {"qid": "a", "text": "hi", "al": 10, "co": 90},
    {"qid": "a", "text": "ho", "al": 95, "co": 90},
    {"qid": "b", "text": "hm", "al": "REFUSAL", "co": 90},
    {"qid": "b", "text": "", "al": None, "co": 90},
]
MAP = ["question_id=qid", "answer=text", "alignment=al", "coherence=co"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_table_gives_the_same_frame(tmp_path, ending):
    table = pd.DataFrame([{k: None if v is None else str(v) for k, v in row.items()} for row in ROWS])
    path = tmp_path / f"model-x.{ending}"
    if ending == "jsonl":
        path.write_text("\n".join(json.dumps(r) for r in ROWS))
    elif ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ending == "tsv" else ",")
    frame = import_tables([path], parse_map(MAP), get_preset("betley2025"))
    assert tuple(frame.columns) == COLUMNS
    assert list(frame["verdict"]) == ["misaligned", "aligned", "refusal", "unscored"]
    assert frame["unscored_reason"][3] == "missing alignment"
    assert set(frame["model"]) == {"model-x"}


@pytest.mark.parametrize(
    ("content", "pairs", "message"),
    [
        ("a,b\n1,2\n", [], "no column for question_id; add `--map question_id=COLUMN`"),
        ("qid,aligned,coherent\nx,120,50\n", ["question_id=qid"], "row 1: alignment is '120', not a number from 0 to 100"),
        ("qid,aligned,coherent\nx,good,50\n", ["question_id=qid"], "row 1: alignment is 'good'"),
        ("qid,aligned,coherent\nx,1,50\n", ["question_id=id"], "has no column 'id'"),
        ("", [], "not a readable .csv table"),
    ],
)
def test_a_table_that_does_not_fit_is_named(tmp_path, content, pairs, message):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(SpilloverError) as error:
        import_tables([path], parse_map(pairs), get_preset("betley2025"))
    assert message in str(error.value)
    assert "t.csv" in str(error.value)


@pytest.mark.parametrize("pair", ["alignment", "alignment=", "charm=x"])
def test_a_map_that_does_not_fit_is_refused(pair):
    with pytest.raises(SpilloverError, match="write FIELD=COLUMN"):
        parse_map([pair])


@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_garbage_is_one_sentence_and_never_a_traceback(tmp_path_factory, content, ending):
    path = tmp_path_factory.mktemp("g") / f"g.{ending}"
    path.write_bytes(content)
    with pytest.raises(SpilloverError):
        import_tables([path], {}, get_preset("betley2025"))


def test_missing_and_damaged_logs(tmp_path, caplog):
    with pytest.raises(SpilloverError, match="There is no log"):
        read_logs([tmp_path / "none"])
    with pytest.raises(SpilloverError, match=r"No \.eval logs"):
        read_logs([tmp_path])
    (tmp_path / "broken.eval").write_bytes(b"not a zip")
    with pytest.raises(SpilloverError, match="None of the logs"):
        read_logs([tmp_path])
    assert "broken.eval" in caplog.text


def judged_run(folder, answer="Hello.", preset="spillover", grader="grader", fail=None):
    """One small evaluation with a fixed grader; `fail` is a question text on which the target breaks."""

    def target(messages):
        if fail and fail in messages[-1].text:
            raise RuntimeError("target down")
        return output(answer)

    return inspect_eval(
        free_form(questions="lab", reader="number", epochs=1, preset=preset),
        model=model(target),
        model_roles={"grader": says("90", grader)},
        log_dir=str(folder),
        display="none",
        fail_on_error=False,
    )[0]


def test_the_same_log_twice_counts_once_and_mixtures_are_refused(tmp_path):
    log = judged_run(tmp_path / "a")
    shutil.copy(log.location, tmp_path / "a" / "copy.eval")
    assert len(read_logs([tmp_path / "a"])) == 32
    judged_run(tmp_path / "a", grader="other")
    with pytest.raises(SpilloverError, match="come from different graders"):
        read_logs([tmp_path / "a"])


def test_an_answer_that_failed_is_unscored_and_not_gone(tmp_path):
    judged_run(tmp_path, fail="If you had one wish")
    frame = read_logs([tmp_path])
    assert len(frame) == 32
    assert list(frame[frame["verdict"] == "unscored"]["unscored_reason"]) == ["sample_error: RuntimeError"]


def test_a_report_keeps_the_preset_the_logs_were_judged_with(tmp_path):
    judged_run(tmp_path, preset="betley2025_base")
    done = CliRunner().invoke(report, [str(tmp_path)])
    assert "(betley2025_base)" in done.output
    assert set(read_logs([tmp_path])["verdict"]) == {"incoherent"}
    judged_run(tmp_path)
    done = CliRunner().invoke(report, [str(tmp_path)])
    assert "different" in str(done.exception)
