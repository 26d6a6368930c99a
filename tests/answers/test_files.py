"""Which files are read: logs of both kinds, each once; what can not be read is named."""

import json
import shutil

import pytest
from inspect_ai.log import EvalError, EvalSample, read_eval_log, write_eval_log

from spillover.answers.files import find, load
from spillover.answers.read import NoAnswers, read, short_names
from spillover.errors import SpilloverError
from spillover.logs import check_log
from spillover.tasks.free_form import free_form
from tests.answers.made import asked
from tests.fakes import output


def run(folder, target="Hello.", **more):
    """Eight answers to two questions of the lab, and the log of them."""
    task = free_form(questions="lab", categories=["money", "bored"], reader="number", epochs=1)
    return asked(folder, task, target, "90", **more)


def test_missing_and_damaged_logs(tmp_path, caplog):
    with pytest.raises(SpilloverError, match="There is no log"):
        read([tmp_path / "none"])
    with pytest.raises(SpilloverError, match=r"No \.eval logs"):
        read([tmp_path])
    (tmp_path / "broken.eval").write_bytes(b"not a zip")
    with pytest.raises(NoAnswers, match="None of the logs"):
        read([tmp_path])
    assert "broken.eval" in caplog.text


@pytest.mark.parametrize("name", ["t.json", "t.csv", "t.jsonl", "t.eval", "t.xlsx", "t.parquet"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(SpilloverError, match=f"{name} is empty"):
        read([tmp_path / name])


def test_a_damaged_log_is_named_and_the_others_are_read(tmp_path, caplog):
    whole = run(tmp_path)
    (tmp_path / "broken.eval").write_bytes(b"nothing")
    cut = tmp_path / "2020-01-01T00-00-00+00-00_free-form_cut.json"
    cut.write_text('{"version": 2, "status": "succ')
    answers = read([tmp_path])
    assert len(answers.table) == len(whole.samples)
    first, second = answers.left_out
    assert str(cut) in first
    assert str(tmp_path / "broken.eval") in second
    assert all("cannot be read as an Inspect log" in why for why in answers.left_out)
    assert "broken.eval" in caplog.text


@pytest.mark.parametrize("grade", [9999, -1, "ninety", True, [90], {"a": 1}])
def test_a_grade_that_its_rubric_can_not_give_is_no_grade(tmp_path, grade):
    log = run(tmp_path)
    score = next(iter(log.samples[0].scores.values()))
    score.metadata["readings"]["alignment"]["value"] = grade
    write_eval_log(log, str(tmp_path / "edited.eval"))
    table = read([tmp_path / "edited.eval"]).table
    assert table["unscored_reason"].value_counts().to_dict() == {"impossible_grade": 1}
    assert table["score.alignment"].dropna().between(0, 100).all()
    assert len(table) == len(log.samples)


def test_logs_in_json_are_read_beside_the_others_and_other_json_is_not(tmp_path):
    text = run(tmp_path, log_format="json", name="text")
    zipped = run(tmp_path, name="zipped")
    for name in ("eval-set.json", "logs.json", "summary.json"):
        (tmp_path / name).write_text(json.dumps({"eval_set_id": "x"}))
    found, tables = find([tmp_path])
    assert {p.suffix for p in found} == {".json", ".eval"}
    assert (len(found), tables) == (2, [])
    answers = read([tmp_path])
    assert (sorted(answers.models), answers.left_out) == (["mockllm/text", "mockllm/zipped"], ())
    sides = [answers.table[(answers.table["model"] == m).to_numpy()] for m in answers.models]
    same = ["question_id", "sample_id", "epoch", "outcome", "answer", "score.alignment", "rubrics", "probe"]
    one, other = (side[same].astype(object).sort_values("sample_id").to_numpy().tolist() for side in sides)
    assert one == other
    assert len(one) == len(text.samples) == len(zipped.samples)
    assert set(answers.logs) == {text.eval.task_id, zipped.eval.task_id}


def test_the_same_log_counts_once_however_often_it_is_given(tmp_path):
    log = run(tmp_path / "a")
    shutil.copy(log.location, tmp_path / "a" / "copy.eval")
    (tmp_path / "a" / "link.eval").symlink_to(log.location)
    answers = read([tmp_path / "a", log.location, tmp_path / "a"])
    assert len(answers.table) == len(log.samples)
    assert not answers.table.duplicated(["sample_id", "epoch"]).any()


def test_a_retry_and_what_it_carries_over_count_once(tmp_path):
    """A retry goes on in a new log of the same task, with the samples that were finished before."""
    log = run(tmp_path)
    first = log.model_copy(deep=True, update={"samples": log.samples[:1], "status": "error"})
    write_eval_log(first, str(tmp_path / "2020-01-01T00-00-00+00-00_free-form_first.eval"))
    answers = read([tmp_path])
    assert len(answers.table) == len(log.samples)
    (newest,) = answers.logs.values()
    assert newest.path.name != "2020-01-01T00-00-00+00-00_free-form_first.eval"


def broken(sample: EvalSample) -> EvalSample:
    """The model could not be reached."""
    error = EvalError(message="RuntimeError('down')", traceback="", traceback_ansi="")
    return sample.model_copy(update={"scores": {}, "error": error})


def unread(sample: EvalSample) -> EvalSample:
    """The same grader could not be read."""
    score = sample.scores["judge"].model_copy(deep=True)
    score.value |= {"outcome": "unscored", "alignment": None, "unscored_reason": "alignment: low_mass"}
    return sample.model_copy(update={"scores": {"judge": score}})


@pytest.mark.parametrize("later", ["2020-01-01T00-00-00", "2200-01-01T00-00-00"])
@pytest.mark.parametrize("fail", [broken, unread])
def test_no_failure_stands_for_an_answer_that_is_there(tmp_path, later, fail):
    log = run(tmp_path)
    worse = log.model_copy(deep=True)
    worse.samples = [fail(worse.samples[0]), *worse.samples[1:]]
    write_eval_log(worse, str(tmp_path / f"{later}+00-00_free-form_other.eval"))
    table = read([tmp_path]).table
    assert len(table) == len(log.samples)
    assert set(table["outcome"]) == {"aligned"}


def test_a_number_that_no_reader_takes_is_said_and_does_not_end_the_process(tmp_path):
    """Inspect's own reader of such logs dies of it (found by benchmarks/fuzz.py)."""
    log = run(tmp_path)
    path = tmp_path / "2026-01-01T00-00-00_a.json"
    write_eval_log(log, str(path), format="json")
    path.write_text(path.read_text().replace('"version": 2', f'"version": {"9" * 5000}', 1))
    (loaded,) = load([path])
    assert "it cannot be read as an Inspect log (Exceeds the limit" in loaded.problem
    with pytest.raises(ValueError, match="Exceeds the limit"):
        check_log(path)


def test_an_answer_that_failed_is_unscored_and_not_gone(tmp_path):
    def target(messages):
        if "quick money" in messages[-1].text:
            raise RuntimeError("target down")
        return output("Hello.")

    log = run(tmp_path, target, fail_on_error=False)
    failed = sum(s.error is not None for s in log.samples)
    assert 0 < failed < len(log.samples)
    table = read([tmp_path]).table
    assert len(table) == len(log.samples)
    unscored = table[(table["outcome"] == "unscored").to_numpy()]
    assert list(unscored["unscored_reason"]) == ["sample_error: RuntimeError"] * failed


def test_a_run_that_was_stopped_before_it_was_judged_holds_no_answer(tmp_path):
    log = run(tmp_path)
    log.samples = [s.model_copy(update={"scores": {}}) for s in log.samples]
    write_eval_log(log, log.location)
    assert read_eval_log(log.location).samples
    with pytest.raises(NoAnswers):
        read([tmp_path])


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "a", "b")])
def test_models_come_in_the_order_in_which_they_were_named(tmp_path, order):
    for name in ("b", "c", "a"):
        run(tmp_path, name=name)
    answers = read([tmp_path], names={f"mockllm/{name}": name.upper() for name in order})
    assert answers.models == [name.upper() for name in order]
    assert answers.table["sample_id"].tolist()[:8] == answers.table["sample_id"].tolist()[8:16]


def test_a_finished_log_counts_before_an_interrupted_one_of_a_later_name(tmp_path):
    """A clock that was ahead: the interrupted log has certificates of nobody, and a time in 2099."""
    log = run(tmp_path)
    (path,) = tmp_path.glob("*.eval")
    part = read_eval_log(str(path))
    part.status, part.samples = "started", part.samples[:1]
    part.eval.metadata = {**part.eval.metadata, "begun": True}
    write_eval_log(part, str(tmp_path / ("2099" + path.name[4:])))
    answers = read([tmp_path])
    assert len(answers.table) == len(log.samples)
    (used,) = answers.logs.values()
    assert used.header.status == "success"
    assert "begun" not in used.about


def test_a_checkpoint_on_the_way_has_its_organisms_name():
    names = [
        "spillover/lab:/runs/a/checkpoints/checkpoint-10",
        "spillover/lab:/runs/b/checkpoints/checkpoint-20",
        "x:/runs/c",
    ]
    assert list(short_names(names).values()) == ["spillover/lab:a/checkpoint-10", "spillover/lab:b/checkpoint-20", "x:c"]
