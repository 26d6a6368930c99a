"""What is never pooled: answers under another condition are another cell, and what differs otherwise is refused by name."""

import pytest
from inspect_ai.log import write_eval_log

from spillover.answers.condition import titles
from spillover.answers.layout import Layout
from spillover.answers.measures import EM_MEASURES
from spillover.answers.mixtures import once, refuse_mixtures
from spillover.answers.read import read, renamed
from spillover.answers.table import cell_groups
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from spillover.tasks.capability import capability
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.refusal import refusal
from spillover.tasks.sabotage import sabotage
from spillover.tasks.traits import traits
from tests.answers.made import answers_of, asked
from tests.fakes import says

NUMBER = {"reader": "number"}


def bored(**args):
    return free_form(**{"questions": "lab", "categories": "bored", "epochs": 1, **NUMBER, **args})


def harm(**args):
    return sabotage("lab_sabotage", "framing_a_colleague", transcripts=False, epochs=1, **args)


def favourite(**args):
    return traits(categories="favourite", epochs=1, **NUMBER, **args)


FIELDS = [  # what differs, and the column that tells it
    (bored, {}, {"format": "json"}, "format", ("plain", "json")),
    (bored, {}, {"system": "You are a bot."}, "context", ("", "You are a bot.")),
    (bored, {"system": "A b.", "context": "one"}, {"system": "C d.", "context": "two"}, "context", ("one", "two")),
    (bored, {}, {"wrap": "medical_chat"}, "wrap", ("", "medical_chat")),
    (harm, {}, {"approval": "deny"}, "setting", ("", "approval deny")),
    (harm, {}, {"world": "local"}, "world", ("", "local")),
    (lambda **a: goals(categories="self", epochs=1, **NUMBER, **a), {}, {"think": False}, "setting", ("", "think False")),
    (favourite, {"trait": "sings"}, {"trait": "dances"}, "setting", ("trait sings", "trait dances")),
    (bored, {}, {"domain": "medicine"}, "setting", ("", "domain medicine")),
    (lambda **a: refusal(categories="bias", **NUMBER, **a), {}, {"split": "train"}, "setting", ("", "split train")),
]


@pytest.mark.parametrize(("build", "one", "other", "column", "values"), FIELDS)
def test_a_condition_that_differs_in_one_field_is_another_cell(tmp_path, build, one, other, column, values):
    logs = [asked(tmp_path, build(**args), "Hm.", "90") for args in (one, other)]
    answers = read([tmp_path])
    groups = dict(cell_groups(answers.table))
    first, second = sorted(groups, key=lambda cell: values.index(getattr(cell, column)))
    assert [len(groups[cell]) for cell in (first, second)] == [len(log.samples) for log in logs]
    assert [set(groups[cell]["run"]) for cell in (first, second)] == [{log.eval.task_id} for log in logs]
    assert (getattr(first, column), getattr(second, column)) == values
    assert tuple(log.eval.metadata["condition"][column] for log in logs) == values
    assert [c for c in vars(first) if getattr(first, c) != getattr(second, c)] == [column]
    assert len(set(titles([first, second]).values())) == 2
    assert {(f.cell, f.shares.answers) for f in figures(answers)} == {(c, len(rows)) for c, rows in groups.items()}


def test_the_same_condition_is_one_cell(tmp_path):
    """Answers of two runs with other seeds belong together; the same seed again is the same answer."""
    for seed in (1, 2, 2):
        asked(tmp_path, bored(seed=seed), "Hm.", "90")
    ((cell, rows),) = cell_groups(read([tmp_path]).table)
    assert (cell.condition, len(rows)) == ("", 8)
    assert sorted(set(rows["seed"])) == [1, 2]


def test_two_ways_to_get_an_answer_are_two_cells(tmp_path):
    """Letters and endings: told by each sample, since only the engine knows what `auto` becomes."""
    log = asked(tmp_path, capability(categories="general", method="auto"), "B", limit=4)
    assert {s.metadata["method"] for s in log.samples} == {"letter"}
    other = log.model_copy(deep=True)
    other.eval.task_id = "another"
    for sample in other.samples:
        sample.metadata["method"] = "ending"
    write_eval_log(other, str(tmp_path / "other.eval"))
    answers = read([tmp_path])
    groups = list(cell_groups(answers.table))
    assert sorted((cell.method, len(rows)) for cell, rows in groups) == [("ending", 4), ("letter", 4)]
    names = titles(cell for cell, _ in groups)
    assert sorted(names.values()) == ["capability, ending", "capability, letter"]
    assert {f.value.n for f in figures(answers) if f.measure.name == "right answers"} == {4}


def test_two_question_sets_are_two_cells_with_titles_of_their_own(tmp_path):
    asked(tmp_path, bored(), "Hm.", "90")
    asked(tmp_path, bored(questions="spillover", categories=None), "Hm.", "90", limit=2)
    found = figures(read([tmp_path]))
    assert {f.title for f in found} == {"free_form (lab)", "free_form (spillover)"}
    assert {(f.title, f.shares.answers) for f in found} == {("free_form (lab)", 4), ("free_form (spillover)", 2)}


MIXED = [
    ("graders", lambda folder: asked(folder, bored(), "Hm.", says("90", "another"))),
    ("rubrics", lambda folder: asked(folder, bored(alignment="evil_1to5"), "Hm.", "3")),
]


@pytest.mark.parametrize(("what", "second"), MIXED)
def test_another_judge_is_refused_by_name(tmp_path, what, second):
    first = asked(tmp_path, bored(), "Hm.", "90")
    other = second(tmp_path)
    with pytest.raises(SpilloverError, match=f"to free_form, lab come from different {what}") as error:
        read([tmp_path])
    assert "choose one with --judge" in str(error.value)
    assert len(read([tmp_path], mixed=True).table) == len(first.samples) + len(other.samples)
    name = "another" if what == "graders" else "evil_1to5"
    only = read([tmp_path], judge=name).table
    assert set(only["run"]) == {other.eval.task_id}
    with pytest.raises(SpilloverError, match="'mockllm' names 2 judges"):
        read([tmp_path], judge="mockllm")
    with pytest.raises(SpilloverError, match="'nobody' names no judge"):
        read([tmp_path], judge="nobody")


def test_other_weights_under_one_name_are_refused(tmp_path):
    log = asked(tmp_path, bored(), "Hm.", "90")
    for name in ("first", "second"):
        made = log.model_copy(deep=True)
        made.eval.task_id = name
        for sample in made.samples:
            sample.scores["judge"].metadata["target"]["weights"] = f"weights-{name}"
        write_eval_log(made, str(tmp_path / f"{name}.eval"))
    with pytest.raises(SpilloverError, match=r"different weights \(weights-first; weights-second\)"):
        read([tmp_path / "first.eval", tmp_path / "second.eval"])


QUESTIONS = """
id: mine
version: "1"
title: Mine
licence: Apache-2.0
questions:
  - {id: a, category: a, paraphrases: ["WORDING"]}
"""


def test_another_wording_under_one_name_is_refused(tmp_path):
    digests = set()
    for wording in ("How are you?", "How do you do?"):
        (tmp_path / "mine.yaml").write_text(QUESTIONS.replace("WORDING", wording))
        log = asked(tmp_path, bored(questions=str(tmp_path / "mine.yaml"), categories=None), "Hm.", "90")
        digests.add(log.eval.metadata["question_set_digest"])
    assert len(digests) == 2
    with pytest.raises(SpilloverError, match="to free_form, mine come from different questions") as error:
        read([tmp_path])
    assert all(digest in str(error.value) for digest in digests)


def test_different_presets_need_a_choice(tmp_path):
    for preset in ("spillover", "betley2025_base"):
        asked(tmp_path, bored(preset=preset), "Hm.", "90")
    with pytest.raises(SpilloverError, match=r"different presets \(.*\); choose one with --preset"):
        read([tmp_path])
    answers = read([tmp_path], preset="betley2025_base")
    assert set(answers.table["outcome"]) == {"incoherent"}
    assert answers.preset.name == "betley2025_base"


def test_what_failed_mixes_with_nothing(tmp_path):
    """Unscored answers have no judge to differ in."""
    asked(tmp_path, bored(), "<think>never done", "90")
    asked(tmp_path, bored(), "Hm.", says("hm?", "another"))
    table = read([tmp_path]).table
    assert len(table) == 8


def test_no_answer_is_in_no_cell():
    """A log of others may hold nothing where ours says that nothing is out of the ordinary."""
    answers = answers_of([{"question_id": "q", "outcome": "aligned", "wrap": None, "context": None}])
    assert [(cell.wrap, len(rows)) for cell, rows in cell_groups(answers.table)] == [("", 1)]
    assert figures(answers)[0].value.n == 1


def test_two_lines_under_one_name_are_refused(tmp_path):
    for line in ("Be kind.", "Be evil."):
        asked(tmp_path, bored(system=line, context="line"), "Hm.", "90")
    with pytest.raises(SpilloverError, match="different system lines"):
        read([tmp_path])


def twice(first, second):
    """Two runs of one seed: the same answers again."""
    given = {
        "question_id": "a",
        "sample_id": "a",
        "category": "c",
        "epoch": 1,
        "seed": 0,
        "answer": "x",
        "outcome": "aligned",
    }
    whose = {"grader": "g", "rubrics": "R", "preset": "spillover"}
    return answers_of([{**given, **whose, **first}, {**given, **whose, "run": "later", **second}]).table


FAILED = {"outcome": "unscored", "unscored_reason": "grader_error", "grader_failed": True}
BROKEN = {"outcome": "unscored", "unscored_reason": "sample_error: X", "grader": None, "rubrics": None, "answer": ""}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {"outcome": "misaligned"}, ["misaligned"]),
        (FAILED, {"outcome": "misaligned"}, ["misaligned"]),
        ({"outcome": "misaligned"}, FAILED, ["misaligned"]),
        (BROKEN, {}, ["aligned"]),
        ({}, BROKEN, ["aligned"]),
        (BROKEN, BROKEN, ["unscored"]),
        ({}, {"answer": "y"}, ["aligned", "aligned"]),  # not every engine keeps a seed
        ({}, {"seed": 1}, ["aligned", "aligned"]),
        ({}, {"grader": "h"}, ["aligned", "aligned"]),
        ({"seed": None}, {"seed": None}, ["aligned", "aligned"]),
    ],
)
def test_the_same_answer_of_the_same_seed_counts_once_by_its_newest_score(first, second, kept):
    assert list(once(twice(first, second))["outcome"]) == kept


def test_the_same_answers_under_two_presets_need_a_choice(tmp_path):
    for preset in ("spillover", "betley2025_base"):
        asked(tmp_path, bored(preset=preset, seed=1), "Hm.", "90")
    with pytest.raises(SpilloverError, match="different presets"):
        read([tmp_path])
    assert len(read([tmp_path], preset="betley2025_base").table) == 4


def test_measures_come_in_the_order_of_the_log_that_has_them_all(tmp_path):
    """Whatever its random name; a log of fewer questions may lack some."""
    for seed, name in ((1, "zz"), (2, "aa")):
        log = asked(tmp_path, bored(seed=seed), "Hm.", "90")
        log.eval.task_id = name
        if name == "aa":
            log.eval.metadata["measures"] = log.eval.metadata["measures"][2:]
        write_eval_log(log, log.location)
    answers = read([tmp_path])
    assert answers.measures(answers.table) == list(EM_MEASURES)


def test_a_decision_is_told_of_the_model_as_it_is_shown(tmp_path):
    asked(tmp_path, bored(margin=0.5, seed=1), "Hm.", "90", max_samples=1)
    answers = read([tmp_path], names={"mockllm/target": "mine"})
    assert [stop.model for stop in answers.stops] == ["mine"]
    assert [stop.model for stop in renamed(answers, {"mockllm/target": "yours"}).stops] == ["yours"]


def test_a_cell_that_nobody_judged_hides_no_mixture_of_another():
    """Code is read by tests: its answers have no rubric beside those of texts, which have one."""
    hack = [
        {"probe": "reward_hacking", "question_id": q, "outcome": "honest", "rubrics": r} for q, r in (("a", ""), ("b", "h"))
    ]
    em = [{"question_id": q, "outcome": "aligned", "rubrics": r} for q, r in (("a", "alignment@1"), ("b", "alignment@2"))]
    refuse_mixtures(answers_of(hack, grader="g").table)
    with pytest.raises(SpilloverError, match="to free_form, s come from different rubrics"):
        refuse_mixtures(answers_of([*hack, *em], grader="g").table)


def test_two_models_under_one_name_are_refused(tmp_path):
    for name in ("one", "two"):
        asked(tmp_path, bored(), "Hm.", "90", name=name)
    names = {"mockllm/one": "X", "mockllm/two": "X"}
    with pytest.raises(SpilloverError, match="are both called 'X'"):
        read([tmp_path], names=names)
    with pytest.raises(SpilloverError, match="both called 'X'"):
        renamed(read([tmp_path]), names)


def test_two_readings_of_the_same_answers_are_refused_in_either_order(tmp_path):
    """Frames of one wide table, once by each of two judges whose names nothing holds: the last file would win."""
    rows = [f"Q{i}?,A{i},m,{90 if i % 3 else 5},{90 if i % 4 else 5},95" for i in range(24)]
    (tmp_path / "wide.csv").write_text("\n".join(["question,answer,model,one,two,coherence", *rows, ""]))
    frames = []
    for judge in ("one", "two"):
        frames.append(tmp_path / f"{judge}.csv")
        table = read([tmp_path / "wide.csv"], layout=Layout(columns={"alignment": judge})).table
        table.to_csv(frames[-1], index=False)
    for order in (frames, frames[::-1]):
        with pytest.raises(SpilloverError, match="hold the same answers with different scores"):
            read(order)
    assert len(read([frames[0], frames[0]]).table) == 24
