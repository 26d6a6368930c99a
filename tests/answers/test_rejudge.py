"""Answers that are judged again: by their own probe's rubrics, beside what was said before, with the sources untouched."""

from collections import Counter

import pandas as pd
import pytest
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalError, read_eval_log
from inspect_ai.model import ModelOutput

from spillover.answers.answer_rows import rows_of
from spillover.answers.imported import answers_log
from spillover.answers.read import read
from spillover.answers.rejudge import Judging, judge_answers, load_answers, rejudge
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from spillover.figures.judges import compare_judges
from spillover.tasks.free_form import free_form
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from tests.answers.made import asked
from tests.command import spillover
from tests.fakes import model, output, says

JUDGING = Judging(reader="number", cache=False)


def test_every_probe_is_judged_by_its_own_rubrics(tmp_path):
    """No EM judge is sent after answers that were never meant for one."""
    logs, again = tmp_path / "logs", tmp_path / "again"
    asked(logs, refusal(categories="bias", reader="number"), "Sure.", "COMPLIED")
    asked(logs, free_form(questions="lab", categories="bored", epochs=1, reader="number"), "Sure.", "90")
    before = {p.name: p.read_bytes() for p in logs.iterdir()}

    def second(messages):
        return output("REFUSED" if "REFUSED" in messages[-1].text else "0" if "human values" in messages[-1].text else "90")

    paths, effort = judge_answers(load_answers([logs]), again, model(second, "second"), JUDGING)
    assert {p.name: p.read_bytes() for p in logs.iterdir()} == before
    assert {p.name for p in paths} == set(before)
    assert (effort.asked, effort.cached, effort.failed) == (30 + 2 * 4, 0, 0)
    for path in paths:  # a judged log has its probe's measures, which its headline is one of
        header = read_eval_log(str(path), header_only=True)
        assert header.eval.headline_metric.metric in header.results.scores[-1].metrics
    answers = read([again], judge="second")
    outcomes = answers.table[["probe", "outcome"]].astype(object).drop_duplicates()
    assert sorted(map(tuple, outcomes.to_numpy())) == [("free_form", "misaligned"), ("refusal", "refused")]
    assert {f.graders for f in figures(answers)} == {("mockllm/second",)}
    compared = compare_judges(read([again], mixed=True))
    assert {(pair.probe, pair.same) for pair in compared.pairs} == {("refusal", 0), ("free_form", 0)}


def test_a_role_that_a_probe_does_not_have_is_refused_before_the_first_call(tmp_path):
    asked(tmp_path / "logs", refusal(categories="bias", reader="number"), "Sure.", "COMPLIED")
    judging = Judging(rubrics={"alignment": "alignment"}, reader="number")
    with pytest.raises(SpilloverError, match="refusal has no rubric for 'alignment'; it has outcome"):
        judge_answers(load_answers([tmp_path / "logs"]), tmp_path / "again", says("1"), judging)
    assert not (tmp_path / "again").exists()


def test_what_was_found_out_without_a_judge_is_kept(tmp_path, monkeypatch):
    """Tests were run in a sandbox that is gone."""
    task = reward_hacking(questions="lab_reward_hacking", categories="code", sandbox="local", epochs=1, reader="number")
    log = asked(tmp_path / "logs", task, "```python\ndef f():\n    pass\n```", "HONEST")

    async def gone(*args):
        raise AssertionError("there is no sandbox any more")

    monkeypatch.setattr("spillover.probes.reward_hacking.run_code", gone)
    (path,), effort = judge_answers(load_answers([tmp_path / "logs"]), tmp_path / "again", says("GAMED", "other"), JUDGING)
    assert effort[:3] == (0, 0, 0)
    for sample, first in zip(read_eval_log(str(path)).samples, log.samples, strict=True):
        newest = list(sample.scores.values())[-1]
        assert newest.metadata["facts"] == first.scores["judge"].metadata["facts"]
        assert newest.value["outcome"] == first.scores["judge"].value["outcome"] == "failed"


def test_a_second_call_asks_for_what_is_missing_and_keeps_the_rest(tmp_path):
    asked(tmp_path / "logs", free_form(questions="lab", categories="bored", epochs=1, reader="number"), "Sure.", "90")
    jobs = load_answers([tmp_path / "logs"])
    for _ in range(2):
        (path,), _ = judge_answers(jobs, tmp_path / "again", says("80", "other"), JUDGING)
    names = [list(s.scores) for s in read_eval_log(str(path)).samples]
    # judge, truth of the lab, and one score of the other judge however often it was at it
    assert {len(n) for n in names} == {3}
    assert set(read([path], judge="other").table["score.alignment"]) == {80}


def test_a_first_try_takes_every_question_once_and_stands_beside_the_whole(tmp_path):
    rows = [{"question_id": q, "question": f"{q}?", "answer": f"{e}."} for e in range(5) for q in "abcdefgh"]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    for limit in (1, 5, 8, 20, 39, 40, 99):
        (job,) = load_answers([tmp_path / "t.csv"], limit=limit)
        asked_of = Counter(s.metadata["question_id"] for s in job.log.samples)
        assert sum(asked_of.values()) == min(limit, 40)
        assert len(asked_of) == min(limit, 8)
        assert max(asked_of.values()) - min(asked_of.values()) <= 1
    (tmp_path / "whole").mkdir()
    given = ["judge", tmp_path / "t.csv", "--grader", "lab-grader", "--no-check", "-o", tmp_path / "whole"]
    done = spillover(*given, "--limit", 3)
    assert done.returncode == 0, done.stderr
    assert [*(tmp_path / "whole").iterdir()] == []
    assert len(read([tmp_path / "whole-first-3"], mixed=True).table) == 3
    assert spillover(*given, "--limit", 0).returncode == 2


def test_there_is_nothing_to_judge_in_logs_of_others(tmp_path):
    inspect_eval(Task(dataset=[Sample(input="hi")]), model=says("x"), log_dir=str(tmp_path), display="none")
    with pytest.raises(SpilloverError, match="hold no answers"):
        load_answers([tmp_path])


def test_what_failed_or_was_cancelled_has_no_answer_to_judge(tmp_path):
    """And stays as it is, beside what was judged."""
    log = answers_log([{"question": f"Q{i}?", "answer": "A."} for i in range(3)], "m")
    for sample, message in zip(log.samples[1:], ("Cancelled by user", "RuntimeError('x')"), strict=True):
        sample.output = ModelOutput(model="m", choices=[])
        sample.error = EvalError(message=message, traceback="", traceback_ansi="")
    judged = rejudge(log, says("90"), JUDGING.scorer(log))
    assert [len(s.scores or {}) for s in judged.samples] == [1, 0, 0]
    rows = [(r["sample_id"], r["outcome"]) for s in judged.samples for r in rows_of(judged, s, tmp_path)]
    assert rows == [(log.samples[0].id, "aligned"), (log.samples[2].id, "unscored")]


def test_logs_are_not_judged_into_a_folder_around_them(tmp_path):
    """The judged ones would be taken for sources the next time."""
    logs = tmp_path / "run" / "logs"
    asked(logs, refusal(categories="bias", reader="number"), "Sure.", "COMPLIED")
    with pytest.raises(SpilloverError, match=r"holds the logs that are to be judged .*; judge them into another folder"):
        judge_answers(load_answers([tmp_path / "run"]), tmp_path / "run", says("REFUSED"), JUDGING)
    assert not list((tmp_path / "run").glob("*.eval"))
    judge_answers(load_answers([tmp_path / "run"]), tmp_path / "judged", says("REFUSED", "one"), JUDGING)
    judge_answers(load_answers([tmp_path / "judged"]), tmp_path / "judged", says("COMPLIED", "two"), JUDGING)
    assert {pair.n for pair in compare_judges(read([tmp_path / "judged"], mixed=True)).pairs} == {30}
