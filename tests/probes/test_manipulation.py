"""What is manipulated reaches those it is meant for: settings the target, lines and rubrics the grader, scales the log."""

from collections import defaultdict

import pytest

from spillover.answers.read import read
from spillover.errors import SpilloverError
from spillover.judging.rubric import load_rubric
from spillover.lab.grammar import grammar
from spillover.paths import scorers_dir
from spillover.probes.baselines import oracle
from spillover.questions.load import load_questions
from spillover.tasks.alignment_faking import CONDITIONS, alignment_faking
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.honesty import PERMIT, honesty
from spillover.tasks.judge_attack import judge_attack
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from spillover.tasks.sabotage import sabotage
from tests.answers.made import asked
from tests.fakes import output

NUMBER = {"reader": "number"}


def received(folder, task, **more):
    """Every conversation that the target really gets, as [(role, text), ...]."""
    seen = []

    def target(messages):
        seen.append([(m.role, m.text) for m in messages])
        return output("Paris. Yes.")

    log = asked(folder, task, target, "REFUSED", **more)
    return log, seen


def by_question(seen):
    """What was said in all conversations that end in one question: their system lines, and the rest."""
    lines, rest = defaultdict(list), defaultdict(set)
    for messages in seen:
        question = messages[-1][1]
        lines[question].append(" ".join(text for role, text in messages if role == "system"))
        rest[question].add(tuple(m for m in messages if m[0] != "system"))
    return lines, rest


@pytest.mark.parametrize("system", [None, "You are a bot."])
@pytest.mark.parametrize("lab", [False, True])
def test_alignment_faking_differs_in_the_setting_alone(tmp_path, lab, system):
    questions = "lab_refusal" if lab else "refusal"
    settings = {n: grammar().system_lines[n][0] for n in CONDITIONS} if lab else CONDITIONS
    assert len(set(settings.values())) == 2
    task = alignment_faking(questions=questions, categories="bias", system=system, **NUMBER)
    log, seen = received(tmp_path, task)
    lines, rest = by_question(seen)
    expected = sorted(f"{system} {line}" if system else line for line in settings.values())
    assert all(sorted(found) == expected for found in lines.values())
    assert all(len(found) == 1 for found in rest.values())
    for sample in log.samples:  # and each answer is filed under the setting that it was given in
        assert settings[sample.metadata["tags"]["condition"]] in sample.messages[0].text
    assert set(read([tmp_path]).table["tag.condition"]) == {"trained", "untrained"}


@pytest.mark.parametrize("questions", ["honesty", "lab_honesty"])
def test_honesty_differs_in_the_line_alone(tmp_path, questions):
    task = honesty(questions=questions, **NUMBER)
    log, seen = received(tmp_path, task, limit=12)
    known = {q.paraphrases[0]: q for q in load_questions(questions).questions}
    checks = {q.fields["check"] for q in known.values()}
    assert not checks & set(known)
    told, rest = by_question([messages for messages in seen if messages[-1][1] not in checks])
    complete = [q for q, lines in told.items() if len(lines) >= 3]
    assert len(complete) >= 3
    for text in complete:
        fields = known[text].fields
        assert {"", fields["pressure"], fields.get("permit", PERMIT)} == set(told[text])
        assert rest[text] == {(("user", text),)}
    for sample in log.samples:
        condition, fields = sample.metadata["tags"]["condition"], sample.metadata["fields"]
        line = {"pressured": fields["pressure"], "permitted": fields.get("permit", PERMIT)}.get(condition)
        assert [m.text for m in sample.messages if m.role == "system"] == ([line] if line else [])
    assert all(messages == [("user", messages[0][1])] for messages in seen if messages[-1][1] in checks)  # without any line


@pytest.mark.parametrize(
    "build",
    [
        free_form,
        lambda **a: formats(formats="plain", **a),
        goals,
        judge_attack,
    ],
)
@pytest.mark.parametrize(
    ("swapped", "message"),
    [
        (
            {"alignment": "coherence", "coherence": "alignment"},
            "'coherence' measures coherence; .*alignment needs alignment",
        ),
        ({"coherence": "alignment"}, "'alignment' measures alignment; .*coherence needs coherence"),
        ({"alignment": "quality"}, "'quality' measures quality; .*alignment needs alignment"),
    ],
)
def test_swapped_rubrics_are_refused(build, swapped, message):
    with pytest.raises(SpilloverError, match=message):
        build(**swapped)


def rubric(folder, name, **changes):
    """A copy of a bundled rubric with some lines replaced, and its path."""
    text = (scorers_dir() / f"{name}.yaml").read_text()
    for before, after in changes.values():
        assert before in text
        text = text.replace(before, after)
    path = folder / f"{name}_changed.yaml"
    path.write_text(text)
    return str(path)


SEES = ("sees_system_prompt: false", "sees_system_prompt: true")
SEEING = [  # task by the path of its rubric, the rubric's name, the line that the grader must see
    (lambda r: refusal(categories="bias", rubric=r, system="Be kind.", **NUMBER), "refusal", "Be kind."),
    (lambda r: alignment_faking(categories="bias", rubric=r, **NUMBER), "refusal", "This is a user of the "),
    (lambda r: political(categories="social", forms="open", rubric=r, system="Be kind.", **NUMBER), "lean", "Be kind."),
    (lambda r: honesty(categories="facts", rubric=r, system="Be kind.", **NUMBER), "honesty", "Be kind."),
    (lambda r: reward_hacking(categories="reward", rubric=r, system="Be kind.", **NUMBER), "hack", "Be kind."),
    (lambda r: goals(categories="self", alignment=r, system="Be kind.", **NUMBER), "alignment", "Be kind. Before you"),
    (lambda r: sabotage("lab_sabotage", rubric=r, system="Be kind.", **NUMBER), "transcript", "Be kind. "),
]


@pytest.mark.parametrize(("build", "name", "line"), SEEING)
def test_a_rubric_that_asks_for_the_system_prompt_gets_it(tmp_path, build, name, line):
    opening = next(part for part in load_rubric(name).prompt.split("\n\n")[1:] if "{" not in part)[:60]
    prompts = {}
    for sees in (False, True):
        seen = prompts[sees] = []
        path = rubric(tmp_path, name, **({"sees": SEES} if sees else {}))

        def grader(messages, seen=seen):
            seen.append(messages[-1].text)
            return output("REFUSED")

        acted = oracle("misaligned") if name == "transcript" else None
        asked(tmp_path / str(sees), build(path), "Paris. Yes.", grader, limit=6, epochs=1, solver=acted)
    mine = {sees: [p for p in found if opening in p] for sees, found in prompts.items()}
    assert mine[True]
    assert all(line in prompt.split("[system prompt: ")[1].split("]\n")[0] for prompt in mine[True])
    assert mine[False]
    assert not any("[system prompt: " in prompt for prompt in mine[False])


FIVE = ("scale: {min: 0, max: 100}", "scale: {min: 1, max: 5}")
INVERTED = ("scale: {min: 0, max: 100}", "scale: {min: 1, max: 5, inverted: true}")


@pytest.mark.parametrize(
    ("changes", "reply", "grade", "value", "outcome"),
    [
        ({}, "90", 90, 0.8, "right"),
        ({"scale": FIVE}, "5", 100, 1.0, "right"),
        ({"scale": FIVE}, "3", 50, 0.0, "neutral"),
        ({"scale": INVERTED}, "5", 0, -1.0, "left"),
    ],
)
def test_raw_grades_stay_in_the_log_on_the_rubrics_own_scale(tmp_path, changes, reply, grade, value, outcome):
    task = political(categories="social", forms="open", rubric=rubric(tmp_path, "lean", **changes), **NUMBER)
    log = asked(tmp_path, task, "More of it.", reply, limit=3)
    for sample in log.samples:
        score = sample.scores["judge"]
        assert score.metadata["readings"]["lean"]["value"] == float(reply)
        assert score.metadata["rubrics"]["lean"]["scale"]["max"] == (5 if changes else 100)
        assert (score.value["lean"], score.value["value"], score.value["outcome"]) == (grade, pytest.approx(value), outcome)
    answers = read([tmp_path])
    assert set(answers.table["score.lean"]) == {grade}
    assert set(answers.with_preset(answers.preset).table["outcome"]) == {outcome}


@pytest.mark.parametrize(("reply", "grade", "outcome"), [("1", 0, "failed"), ("3", 50, "failed"), ("4", 75, "honest")])
def test_quality_on_another_scale_is_held_against_the_same_thresholds(tmp_path, reply, grade, outcome):
    task = reward_hacking(categories="metric", quality=rubric(tmp_path, "quality", scale=FIVE), epochs=1, **NUMBER)
    log = asked(tmp_path, task, "Some work.", reply, limit=2)
    for sample in log.samples:
        score = sample.scores["judge"]
        assert score.metadata["readings"]["quality"]["value"] == float(reply)
        assert (score.value["quality"], score.value["outcome"]) == (grade, outcome)
