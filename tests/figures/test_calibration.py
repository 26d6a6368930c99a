"""A labelling sheet, the calibration that comes of it, and the rates that it corrects."""

import dataclasses
import types

import pandas as pd
import pytest

from spillover.answers.labels import answer_ids, labelling_sheet, read_labels
from spillover.answers.measures import EM, Measure
from spillover.answers.presets import get_preset
from spillover.answers.table import cell_groups
from spillover.errors import SpilloverError
from spillover.figures.calibration import calibrate, load_calibration
from spillover.sinks import for_sheet
from tests.answers.made import answers_of

WORDS = ("aligned", "misaligned")


def judged(count=200):
    """Answers with grades; the judge errs with every twentieth."""
    rows = []
    for i in range(count):
        truth = "misaligned" if i % 4 == 0 else "aligned"
        low = (truth == "misaligned") != (i % 20 == 0)
        row = {"question_id": f"q{i % 8}", "sample_id": str(i), "epoch": 1, "question": "Q?", "answer": f"A {i}"}
        grades = {"score.alignment": 5.0 if low else 95.0, "score.coherence": 90.0, "truth": truth}
        rows.append({**row, **grades, "grader": "g", "rubrics": "alignment@2"})
    return answers_of(rows).with_preset(get_preset("spillover"))


def test_sheet_to_calibration_to_corrected_rate(tmp_path):
    answers = judged()
    table = answers.table
    sheet = labelling_sheet(table, EM, 80)
    assert len(sheet) == 80
    assert list(sheet.columns) == ["answer_id", "question", "answer", "label", "weight"]  # no opinion of a judge
    judged_bad = set(table.loc[(table["outcome"] == "misaligned").to_numpy(), "answer"])
    assert sum(a in judged_bad for a in sheet["answer"]) == 40
    assert sheet["weight"].sum() == pytest.approx(200)
    truth = dict(zip(table["answer"], table["truth"], strict=True))
    sheet["label"] = [
        truth[a] if i % 2 else {"misaligned": "yes", "aligned": "no"}[truth[a]] for i, a in enumerate(sheet["answer"])
    ]
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    given = read_labels(tmp_path / "sheet.csv", EM, WORDS)
    found = [given.get(i, (None, 1.0)) for i in answer_ids(table)]
    made = calibrate(answers, table, [t for t, _ in found], [w for _, w in found], "sheet.csv")
    made.save(tmp_path / "c.json")
    again = load_calibration(tmp_path / "c.json")
    assert again == made
    assert (again.probe, again.measure, again.judge, again.preset) == (
        "free_form",
        "misaligned",
        "g alignment@2",
        "spillover",
    )
    ((cell, rows),) = cell_groups(table)
    by_error, by_labels = again.correct(rows, cell, "m", EM)
    for corrected in (by_error, by_labels):
        assert corrected.interval.lower < 0.25 < corrected.interval.upper
        assert abs(corrected.value - 0.25) < 0.06
        assert corrected.value > 0.2  # what the judge says
    _, elsewhere = again.correct(rows, cell, "another model", EM)
    assert elsewhere.labels == 0  # none of its own answers was labelled
    assert [(low, high) for low, high, _ in made.reliability()] == [(0, 10), (90, 100)]
    (at30,) = made.thresholds([30])
    assert at30.sensitivity.value < 1 == at30.specificity.value
    assert made.quality[0].value == at30.sensitivity.value


def test_a_calibration_is_of_one_judge_one_probe_and_one_preset(tmp_path):
    answers = judged()
    table = answers.table
    truth = list(table["truth"])
    made = calibrate(answers, table, truth, [1.0] * len(table), "lab")
    made.refuse_other(answers)
    other = answers_of([{**row, "grader": "h"} for row in table.to_dict("records")])
    with pytest.raises(SpilloverError, match=r"another judge of free_form \(g alignment@2\) than these answers \(h "):
        made.refuse_other(other)
    with pytest.raises(SpilloverError, match="for the preset spillover, not betley2025; add --preset spillover"):
        made.refuse_other(answers.with_preset(get_preset("betley2025")))
    both = pd.concat([table, other.table], ignore_index=True)
    with pytest.raises(SpilloverError, match="A calibration is of one judge; choose one with --judge"):
        calibrate(answers, both, truth * 2, [1.0] * len(both), "lab")
    probes = pd.concat([table, table.assign(probe="formats")], ignore_index=True)
    with pytest.raises(SpilloverError, match="A calibration is of one probe; choose one with --probe"):
        calibrate(answers, probes, truth * 2, [1.0] * len(probes), "lab")
    with pytest.raises(SpilloverError, match="None of the labelled answers was decided"):
        calibrate(answers, table, [None] * len(table), [1.0] * len(table), "lab")


def test_bad_labels_are_one_sentence(tmp_path):
    sheet = labelling_sheet(judged().table, EM, 10)
    path = tmp_path / "s.csv"
    sheet.to_csv(path, index=False)
    with pytest.raises(SpilloverError, match=r"No row of .* has a label yet"):
        read_labels(path, EM, WORDS)
    sheet.assign(label="maybe").to_csv(path, index=False)
    with pytest.raises(SpilloverError, match="row 1: the label 'maybe'"):
        read_labels(path, EM, WORDS)
    sheet.assign(label="yes", weight="heavy").to_csv(path, index=False)
    with pytest.raises(SpilloverError, match="row 1: the weight 'heavy' is not a number above 0"):
        read_labels(path, EM, WORDS)
    pd.DataFrame({"x": [1]}).to_csv(path, index=False)
    with pytest.raises(SpilloverError, match="no column 'answer_id'"):
        read_labels(path, EM, WORDS)
    with pytest.raises(SpilloverError, match="no answer judged aligned or misaligned to draw"):
        labelling_sheet(judged().table.iloc[:0], EM, 10)
    (tmp_path / "c.json").write_text('{"judge": "g"}')
    with pytest.raises(SpilloverError, match=r"c\.json"):
        load_calibration(tmp_path / "c.json")


def test_a_probe_without_a_share_cannot_be_calibrated():
    answers = judged()
    mean = Measure("lean", mean=True, worse="neither")
    logs = {run: types.SimpleNamespace(measures=[mean.as_dict()]) for run in set(answers.table["run"])}
    alone = dataclasses.replace(answers, logs=logs)
    assert alone.share(alone.table) is None
    with pytest.raises(SpilloverError, match="No measure of free_form is a share of outcomes"):
        calibrate(alone, alone.table, ["left"] * len(alone.table), [1.0] * len(alone.table), "x")


def test_labels_of_another_way_to_answer_are_not_its_own():
    """Letters and endings are two cells."""
    answers = judged()
    made = calibrate(answers, answers.table, list(answers.table["truth"]), [1.0] * len(answers.table), "lab")
    assert all(label.cell == made.labels[0].cell for label in made.labels)
    cell = made.labels[0].cell
    _, own = made.correct(answers.table, cell, made.labels[0].model, EM)
    _, other = made.correct(answers.table, dataclasses.replace(cell, method="letter"), made.labels[0].model, EM)
    assert (own.labels, other.labels) == (len(made.labels), 0)


def test_a_sheet_holds_no_formula():
    """The answers are a model's, and a person opens the sheet."""
    answers = answers_of([{"question_id": "q", "sample_id": "q", "outcome": "aligned", "question": "-1?", "answer": "=1+1"}])
    (row,) = for_sheet(labelling_sheet(answers.table, EM, 1)).to_dict("records")
    assert (row["question"], row["answer"]) == ("'-1?", "'=1+1")


def uneven(second):
    """Labels of two models on 16 questions each; the judge finds nine of ten bad answers of the first."""
    rows, weight = [], 1.0
    for model, finds in (("one", 0.9), ("two", second)):
        for i in range(320):
            true = "misaligned" if i % 2 else "aligned"
            seen = true == "misaligned" and (i // 2) % 10 < 10 * finds
            row = {"model": model, "question_id": f"q{i % 16}", "sample_id": str(i), "epoch": 1, "question": "Q?"}
            grades = {"score.alignment": 5.0 if seen else 95.0, "score.coherence": 90.0, "truth": true}
            rows.append({**row, **grades, "answer": f"A {i}", "grader": "g", "rubrics": "alignment@2"})
    answers = answers_of(rows).with_preset(get_preset("spillover"))
    made = calibrate(answers, answers.table, list(answers.table["truth"]), [weight] * len(rows), "people")
    ((cell, found),) = cell_groups(answers.table)
    return made, cell, found[(found["model"] == "one").to_numpy()]


def test_labels_of_other_models_and_questions_are_said_to_be_so():
    made, cell, rows = uneven(0.9)
    assert made.labels_of("one", cell) == "these and others"
    assert made.labels_of("third", cell) == "other models"
    assert made.labels_of("one", dataclasses.replace(cell, question_set="others")) == "other questions"
    only = made.model_copy(update={"labels": tuple(r for r in made.labels if r.model == "one")})
    assert only.labels_of("one", cell) == "these answers"
    assert made.uneven == ""
    by_error, _ = made.correct(rows, cell, "one", EM)
    assert by_error.interval.lower < 0.5 < by_error.interval.upper


def test_a_judge_that_errs_by_the_kind_of_answer_gives_no_interval():
    made, cell, rows = uneven(0.3)
    assert made.uneven == "it finds what counts more often of one than of two"
    for model in ("one", "third"):
        by_error, _ = made.correct(rows, cell, model, EM)
        assert 0 < by_error.value < 1
        assert by_error.interval.lower != by_error.interval.lower
    only = made.model_copy(update={"labels": tuple(r for r in made.labels if r.model == "one")})
    assert only.uneven == ""
    by_error, _ = only.correct(rows, cell, "one", EM)
    assert by_error.interval.lower < 0.5 < by_error.interval.upper
