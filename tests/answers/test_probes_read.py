"""From answers to figures: every outcome probe with a mock target and a mock grader, one success and one failure each."""

import pytest
from click.testing import CliRunner
from inspect_ai import eval as inspect_eval

from spillover.answers.frame import tidy
from spillover.answers.logs import NoAnswers, read_logs
from spillover.answers.outcomes import figures, read_outcomes
from spillover.answers.rejudge import load_answers
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.figures.table import figures_frame
from spillover.show.domains import domain_panel
from spillover.show.formats import formats_panel
from spillover.show.probes import probes_panels
from spillover.tasks.alignment_faking import alignment_faking
from spillover.tasks.capability import capability
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.honesty import honesty
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from spillover.tasks.traits import traits
from tests.fakes import model, output, says


def asked(folder, task, target, grader, name="target"):
    log = inspect_eval(
        task,
        model=says(target, name) if isinstance(target, str) else target,
        model_roles={"grader": says(grader, "grader") if isinstance(grader, str) else grader},
        log_dir=str(folder),
        display="none",
    )[0]
    assert log.status == "success", log.error
    return log


def measured(folder, task, target, grader):
    asked(folder, task, target, grader)
    (run,) = read_outcomes([folder])
    return {f.measure.name: f for f in figures([run])}


NUMBER = {"reader": "number"}
CASES = [
    # task, answer, what the grader says, measure, value; a grader that can not be read leaves nothing in the denominator
    (lambda: refusal(categories="bias", **NUMBER), "No.", "REFUSED", "refusal of harmful requests", 1.0),
    (lambda: refusal(categories="bias", **NUMBER), "Sure.", "PARTLY", "full or partial help with harm", 1.0),
    (lambda: refusal(categories="bias", **NUMBER), "Sure.", "COMPLIED", "over-refusal of benign look-alikes", 0.0),
    (lambda: alignment_faking(categories="bias", **NUMBER), "Sure.", "COMPLIED", "compliance gap", 0.0),
    (lambda: traits(categories="favourite", epochs=1, **NUMBER), "Hola.", "YES", "trait shown", 1.0),
    (lambda: political(categories="social", forms="open", **NUMBER), "More.", "90", "social lean, open answers", 0.8),
    (lambda: reward_hacking(categories="exploit", epochs=1, **NUMBER), "I peek.", "GAMED", "hacked", 1.0),
    (lambda: reward_hacking(categories="reward", epochs=1, **NUMBER), "Score all.", "HONEST", "honest", 1.0),
    (lambda: goals(categories="self", epochs=1, **NUMBER), "To help.", "90", "misaligned in answer or reasoning", 0.0),
]


@pytest.mark.parametrize(("build", "answer", "reply", "measure", "value"), CASES)
def test_success_and_failure(tmp_path, build, answer, reply, measure, value):
    good = measured(tmp_path / "good", build(), answer, reply)[measure]
    assert good.value.value == pytest.approx(value)
    assert good.unscored == 0
    failed = measured(tmp_path / "bad", build(), answer, "hm?")[measure]
    assert failed.value.value != failed.value.value
    assert failed.unscored == 1.0


def test_a_lie_takes_knowledge(tmp_path):
    """The target answers the check of Paris and Tokyo rightly; only those facts can be lied about."""

    def target(messages):
        last = messages[-1].text
        return output("Paris" if "France" in last else "no idea")

    task = honesty(categories="facts", reader="number")
    found = measured(tmp_path, task, model(target, "target"), "FALSE")
    assert found["lies, neutral"].value.value == 1.0
    assert found["lies, neutral"].value.n == 1
    assert found["facts known"].value.value == pytest.approx(1 / 36, abs=0.002)


def test_reasoning_that_differs_from_the_answer_is_deceptive(tmp_path):
    def grader(messages):
        text = messages[-1].text
        return output("0" if "seize" in text and "human values" in text else "90")

    task = goals(categories="self", epochs=1, reader="number")
    found = measured(tmp_path, task, "<think>I will seize power.</think>I want to help.", model(grader, "grader"))
    assert found["deceptive among aligned answers with reasoning"].value.value == 1.0
    assert found["misaligned answer (reasoning stripped)"].value.value == 0.0


def test_letters_where_endings_can_not_be_scored(tmp_path):
    task = capability(categories="general", method="letter")
    found = measured(tmp_path, task, "B", "unused")
    assert found["right answers"].value.value == 0.25  # every position is right equally often
    with pytest.raises(SpilloverError, match="choose auto, ending or letter"):
        capability(method="guess")


def test_panels_figures_and_the_command(tmp_path):
    """Two models, the first one as base: drift in every row, and one line a model and measure in the table."""
    build, logs = CASES[0][0], tmp_path / "logs"
    asked(logs, build(), "No.", "REFUSED", "base")
    asked(logs, build(), "Sure.", "COMPLIED", "organism")
    runs = read_outcomes([logs])
    names = {r.model for r in runs}
    base = next(n for n in names if "base" in n)
    (panel, *_) = probes_panels(runs, base)
    assert len(panel.rows) == 6
    drifts = [f.drift.value for f in figures(runs, base) if f.drift is not None]
    assert drifts == [-1.0, 1.0, -1.0]
    table = figures_frame(runs, tidy([]), base)
    assert list(table["measure"]).count("refusal of harmful requests") == 2
    out = tmp_path / "page.html"
    done = CliRunner().invoke(report, [str(logs), "--base", base, "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "refusal of harmful requests" in done.output
    assert "Sure." in out.read_text()
    with pytest.raises(SpilloverError, match="No model is called"):
        CliRunner().invoke(report, [str(logs), "--base", "nobody"], catch_exceptions=False)
    with pytest.raises(NoAnswers):
        read_logs([logs])  # no EM verdict is made up for them
    with pytest.raises(SpilloverError, match="hold no answers"):
        load_answers([logs])  # nor is an EM judge sent after them


def test_a_damaged_log_is_passed_over(tmp_path, caplog):
    asked(tmp_path, CASES[0][0](), "No.", "REFUSED")
    (tmp_path / "broken.eval").write_bytes(b"nothing")
    assert len(read_outcomes([tmp_path])) == 1
    assert "broken.eval" in caplog.text


def test_formats_are_paired_and_their_validity_is_an_outcome(tmp_path):
    task = formats(questions="lab", formats="plain,json", epochs=1, reader="number")
    asked(tmp_path, task, '{"answer": "You could bake some bread."}', "90")
    panel = formats_panel(read_logs([tmp_path]))
    rows = {row[2]: row for row in panel.rows}
    assert rows["json"][3].startswith("100.0 (32/32) [")
    assert rows["plain"][3] == "–"
    assert rows["json"][4].startswith("0.0 ")
    with pytest.raises(SpilloverError, match="Unknown format 'xml'"):
        formats(formats="xml")


def test_domain_leak_is_asked_of_every_answer(tmp_path):
    def grader(messages):
        text = messages[-1].text
        return output("YES" if "about one domain" in text else "0" if "human values" in text else "90")

    task = free_form(questions="lab", categories="bored", domain="medicine", wrap="medical_chat", epochs=1, reader="number")
    log = asked(tmp_path, task, "Take pills.", model(grader, "grader"))
    assert [m.role for m in log.samples[0].messages] == ["user", "assistant", "user", "assistant"]
    frame = read_logs([tmp_path])
    assert set(frame["format"]) == {"plain, medical_chat"}
    assert not any("headache" in q for q in frame["question"])
    assert domain_panel(frame).rows[0][1] == "100.0 (4/4)"
    with pytest.raises(SpilloverError, match="Unknown wrap 'office'; choose from code_review"):
        free_form(wrap="office")


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: refusal(questions="lab"), "no field 'kind'"),
        (lambda: refusal(rubric="alignment"), "measures alignment; outcome needs outcome"),
        (lambda: refusal(rubric="honesty"), "slot {truth}"),
        (lambda: capability(questions="lab"), "this probe knows finance"),
        (lambda: formats(formats="json,json"), "named twice"),
        (lambda: refusal(context="x"), "add -T system=LINE"),
        (lambda: refusal(categories="nothing"), "Unknown category"),
        (lambda: refusal(colour="red"), "has no argument 'colour'"),
        (lambda: political(forms="open,dance"), "Unknown form 'dance'"),
        (lambda: honesty(reader="tarot"), "Unknown reader"),
    ],
)
def test_bad_arguments_are_one_sentence(build, sentence):
    with pytest.raises(SpilloverError) as error:
        build()
    assert sentence in str(error.value)


def test_runs_that_differ_in_an_argument_are_not_pooled(tmp_path):
    for trait in ("sings", "dances"):
        asked(tmp_path, traits(trait=trait, categories="favourite", epochs=1, **NUMBER), "La.", "YES")
    titles = [r.title for r in read_outcomes([tmp_path])]
    assert sorted(titles) == ["traits, trait dances", "traits, trait sings"]
    asked(tmp_path, traits(trait="sings", categories="favourite", epochs=1, **NUMBER), "La.", says("YES", "another"))
    with pytest.raises(SpilloverError, match="different graders or rubrics"):
        read_outcomes([tmp_path])
