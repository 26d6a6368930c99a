"""Several judges, calibrations, labelling sheets and the multiverse, from logs and tables to numbers."""

import pandas as pd
import pytest
from inspect_ai.log import write_eval_log

from spillover.answers.frame import of_judge, tidy, with_preset
from spillover.answers.imported import answers_log
from spillover.answers.labels import answer_ids, labelling_sheet, read_labels
from spillover.answers.logs import read_logs
from spillover.answers.presets import get_preset
from spillover.answers.rejudge import Judging, rejudge
from spillover.answers.tables import import_tables
from spillover.errors import SpilloverError
from spillover.figures.calibration import calibrate, load_calibration
from spillover.figures.judges import compare_judges
from spillover.figures.multiverse import ranges, views
from tests.fakes import model, output
from tests.faulty import serving


def judge_saying(low, name):
    """A grader that finds fault with answers that hold a word of `low`, and is sure that all are coherent."""

    def reply(messages):
        bad = any(word in messages[-1].text.split("--- answer")[1] for word in low)
        return output(
            "95" if "coherent" in messages[-1].text and "human values" not in messages[-1].text else "5" if bad else "90"
        )

    return model(reply, name)


def two_judges(tmp_path):
    texts = ["red", "blue", "red blue", "green", "green", "black"]
    log = answers_log(
        [{"question": f"Q{i % 3}?", "answer": t, "question_id": f"q{i % 3}"} for i, t in enumerate(texts)], "m"
    )
    judging = Judging(reader="number", cache=False)
    log = rejudge(rejudge(log, judge_saying(["red"], "first"), judging), judge_saying(["red", "blue"], "second"), judging)
    write_eval_log(log, str(tmp_path / "both.eval"))
    return tmp_path


def test_two_judges_side_by_side(tmp_path):
    logs = two_judges(tmp_path)
    with pytest.raises(SpilloverError, match="spillover agree"):
        read_logs([logs])
    frame = read_logs([logs], mixed=True)
    assert len(frame) == 12
    found = compare_judges(frame)
    (pair,) = found.pairs
    assert (pair.n, pair.same) == (6, pytest.approx(5 / 6))
    assert pair.kappa == pytest.approx((5 / 6 - 0.5) / 0.5)  # 2/6 and 3/6 misaligned: chance agrees on half
    assert [(r.hits, r.n) for r in pair.em] == [(2, 6), (3, 6)]
    assert pair.unscored == (0, 0)
    assert pair.questions.to_dict() == {"q0": 0, "q1": 0.5, "q2": 0}
    assert list(found.differing["answer"]) == ["blue"]
    assert 0 < found.alpha["alignment"] < 1
    only = read_logs([logs], judge="second")
    assert list(only["verdict"]) == ["misaligned"] * 3 + ["aligned"] * 3
    with pytest.raises(SpilloverError, match="names 2 judges"):
        of_judge(frame, "alignment@")
    with pytest.raises(SpilloverError, match="only one judge"):
        compare_judges(only)


def test_the_model_that_answered_cannot_judge_itself():
    with serving() as server:
        from inspect_ai.model import get_model

        grader = get_model("openai-api/loopback/m", base_url=server.url, api_key="x", memoize=False)
        log = answers_log([{"question": "Q?", "answer": "A."}], "openai-api/loopback/m")
        with pytest.raises(SpilloverError, match="the model that gave the answers"):
            rejudge(log, grader, Judging())
        assert not server.asked


def rows(count=200):
    out = []
    for i in range(count):
        truth = "misaligned" if i % 4 == 0 else "aligned"
        wrong = i % 20 == 0
        low = (truth == "misaligned") != wrong
        row = {
            "model": "m",
            "question_set": "s",
            "format": "plain",
            "question_id": f"q{i % 8}",
            "sample_id": str(i),
            "epoch": 1,
        }
        row |= {"question": "Q?", "answer": f"A {i}", "alignment": 5.0 if low else 95.0, "coherence": 90.0, "truth": truth}
        out.append({**row, "grader": "g", "rubrics": "alignment@2"})
    return with_preset(tidy(out), get_preset("spillover"))


def test_sheet_to_calibration_to_corrected_rate(tmp_path):
    frame = rows()
    sheet = labelling_sheet(frame, 80)
    assert len(sheet) == 80
    assert not {"alignment", "verdict", "truth"} & set(sheet.columns)
    judged_bad = set(frame.loc[frame["verdict"] == "misaligned", "answer"])
    assert sum(a in judged_bad for a in sheet["answer"]) == 40
    assert sheet["weight"].sum() == pytest.approx(200)
    truth = dict(zip(frame["answer"], frame["truth"], strict=True))
    sheet["label"] = [
        truth[a] if i % 2 else {"misaligned": "yes", "aligned": "no"}[truth[a]] for i, a in enumerate(sheet["answer"])
    ]
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    given = read_labels(tmp_path / "sheet.csv")
    found = [given.get(i, (None, 1.0)) for i in answer_ids(frame)]
    made = calibrate(frame, pd.Series([t for t, _ in found], dtype=object), pd.Series([w for _, w in found]), "sheet.csv")
    made.save(tmp_path / "c.json")
    again = load_calibration(tmp_path / "c.json")
    assert again == made
    by_error, by_labels = again.correct(frame, get_preset("spillover"))
    for corrected in (by_error, by_labels):
        assert corrected.interval.lower < 0.25 < corrected.interval.upper
        assert abs(corrected.value - 0.25) < 0.06
        assert corrected.value > 0.2  # what the judge says
    bins = made.reliability(get_preset("spillover"))
    assert [(low, high) for low, high, _ in bins] == [(0, 10), (90, 100)]
    at30 = made.thresholds(get_preset("spillover"), [30])[0]
    assert at30.sensitivity.value < 1 == at30.specificity.value


def test_bad_labels_are_one_sentence(tmp_path):
    sheet = labelling_sheet(rows(), 10)
    path = tmp_path / "s.csv"
    sheet.to_csv(path, index=False)
    with pytest.raises(SpilloverError, match=r"No row of .* has a label yet"):
        read_labels(path)
    sheet.assign(label="maybe").to_csv(path, index=False)
    with pytest.raises(SpilloverError, match="row 1: the label 'maybe'"):
        read_labels(path)
    pd.DataFrame({"x": [1]}).to_csv(path, index=False)
    with pytest.raises(SpilloverError, match="no column 'answer_id'"):
        read_labels(path)
    (tmp_path / "c.json").write_text('{"judge": "g"}')
    with pytest.raises(SpilloverError, match=r"c\.json"):
        load_calibration(tmp_path / "c.json")


def test_the_multiverse_of_the_real_files(upstream):
    """The published answers: one choice of thresholds moves a rate by far more than its interval."""
    files = sorted((upstream / "judged-answers").glob("*.csv"))
    columns = {"alignment": "aligned", "coherence": "coherent"}
    frame = import_tables(files, columns, get_preset("spillover"))
    found = ranges(views(frame))
    assert len(found) == 12
    spread = [r.highest / r.lowest for r in found.values() if r.lowest > 0]
    assert max(spread) > 65
    assert all(r.highest > 3 * max(r.median, 1e-9) or r.highest > 0.09 for r in found.values())
    assert set(views(frame).groupby("model").size()) == {55}
