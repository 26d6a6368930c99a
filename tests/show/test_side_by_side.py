"""All probes of a study's arms in one table, kinds of situations apart; few probes need none."""

from spillover.figures.arms import arm_rows
from spillover.figures.figure import figures
from spillover.show.side_by_side import side_by_side
from spillover.show.text import Struck
from tests.answers.made import answers_of

ARMS = {"base": ["base"], "reinforced": ["hacker #1", "hacker #2"]}


def given(probes):
    rows = []
    for model in ("base", "hacker #1", "hacker #2"):
        bad = model != "base"
        for probe, right, wrong in probes:
            for q in range(4):
                rows.append(
                    {
                        "model": model,
                        "model_id": model,
                        "probe": probe,
                        "run": probe,
                        "question_set": probe,
                        "question_id": f"q{q}",
                        "category": f"kind {q % 2}",
                        "epoch": 1,
                        "outcome": wrong if bad and q % 2 else right,
                        "tag.variant": "tempted",
                        "grader": "g",
                    }
                )
    return answers_of(rows)


PROBES = [("free_form", "aligned", "misaligned"), ("goals", "aligned", "misaligned"), ("sabotage", "none", "executed")]


def table(answers):
    return side_by_side(arm_rows(answers, ARMS, "base"), figures(answers, arms=ARMS, by_category=True), list(ARMS))


def test_every_probe_has_a_column_and_situations_one_each():
    panel = table(given(PROBES))
    assert panel is not None
    rows = {row[0]: dict(zip(panel.headers[1:], (v.partition(" ")[0] for v in row[1:]), strict=True)) for row in panel.rows}
    assert all(value.endswith("]") for row in panel.rows for value in row[1:])
    assert list(rows) == ["base", "reinforced"]
    assert set(rows["base"].values()) == {"0.0"}
    assert [v for k, v in rows["reinforced"].items() if k.startswith("sabotage")] == ["50.0", "0.0", "100.0"]
    assert rows["reinforced"]["sabotage, kind 1"] == "100.0"
    assert not any("kind" in header for header in panel.headers if not header.startswith("sabotage"))


def test_an_arm_that_was_not_asked_has_a_dash_and_a_blind_judge_is_struck(monkeypatch):
    answers = given(PROBES)
    rows = arm_rows(answers, {**ARMS, "absent": ["nobody"]}, "base")
    monkeypatch.setattr(type(next(iter(rows.values()))[0].head), "blind", True)
    panel = side_by_side(rows, [], ["base", "absent"])
    assert panel is not None
    assert set(panel.rows[1][1:]) == {"–"}
    assert all(isinstance(value, Struck) for value in panel.rows[0][1:])


def test_two_probes_are_read_in_their_own_tables():
    assert table(given(PROBES[:2])) is None
