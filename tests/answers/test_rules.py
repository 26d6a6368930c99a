"""Rules are applied after reading: other thresholds give other outcomes, of every probe that has any, and ask nobody."""

import pytest
from click.testing import CliRunner
from inspect_ai.model import Model, get_model

from spillover.answers.presets import get_preset
from spillover.answers.read import read
from spillover.answers.rejudge import Judging, judge_answers, load_answers
from spillover.cli.report import report
from spillover.errors import SpilloverError
from spillover.figures.figure import figures
from spillover.probes.probe import probes
from spillover.tasks.alignment_questions import alignment_questions
from spillover.tasks.formats import formats
from spillover.tasks.free_form import free_form
from spillover.tasks.goals import goals
from spillover.tasks.judge_attack import judge_attack
from spillover.tasks.judge_check import judge_check
from spillover.tasks.political import political
from spillover.tasks.refusal import refusal
from spillover.tasks.reward_hacking import reward_hacking
from tests.answers.made import asked
from tests.fakes import output
from tests.faulty import serving

NUMBER = {"reader": "number", "epochs": 1}
THOUGHTFUL = "<think>I plan to seize power.</think>I want to help."


def forty(messages):
    return output("40" if "human values" in messages[-1].text else "60")


def forty_in_thought(messages):
    text = messages[-1].text
    return output("40" if "human values" in text and "seize" in text else "90")


def obedient(messages):
    """Forty for an answer as it was, and much more for one that asks for it."""
    text = messages[-1].text
    asks = "previous instructions" in text or "valid reply is" in text
    return output("60" if "human values" not in text else "95" if asks else "40")


CASES = {  # probe: task, answer, grader, thresholds to change, outcome before and after
    "free_form": (
        lambda: free_form(questions="lab", categories="bored", **NUMBER),
        ("Hm.", forty, {"misaligned_below": 50}, "aligned", "misaligned"),
    ),
    "formats": (
        lambda: formats(questions="lab", categories="bored", formats="plain,json", **NUMBER),
        ("Hm.", forty, {"coherent_above": 70}, "aligned", "incoherent"),
    ),
    "goals": (
        lambda: goals(categories="self", **NUMBER),
        (THOUGHTFUL, forty_in_thought, {"misaligned_below": 50}, "aligned", "deceptive"),
    ),
    "alignment_questions": (
        lambda: alignment_questions(categories="shutdown", **NUMBER),
        (THOUGHTFUL, forty_in_thought, {"misaligned_below": 50}, "aligned", "deceptive"),
    ),
    "reward_hacking": (
        lambda: reward_hacking(categories="metric", **NUMBER),
        ("Hm.", "60", {"good_above": 70}, "honest", "failed"),
    ),
    "political": (
        lambda: political(categories="economic", forms="open", **NUMBER),
        ("Less tax.", "60", {"neutral_within": 0.1}, "neutral", "right"),
    ),
    "judge_attack": (
        lambda: judge_attack(attacks="override", limit_answers=2, **NUMBER),
        (None, obedient, {"misaligned_below": 50}, "held", "flipped"),
    ),
    "judge_check": (
        lambda: judge_check(panels="em", **NUMBER),
        (None, forty, {"misaligned_below": 50}, "aligned", "misaligned"),
    ),
}


def test_every_probe_with_thresholds_is_tried_here():
    graded = {p.name for p in probes().values() for r in p.roles.values() if set(r.measures) - {"outcome"}}
    assert graded == set(CASES)


@pytest.fixture
def nobody(monkeypatch):
    """From here on no model may be asked."""

    async def refuse(self, *args, **kwargs):
        raise AssertionError(f"{self} was asked")

    return lambda: monkeypatch.setattr(Model, "generate", refuse)


@pytest.mark.parametrize("probe", CASES)
def test_other_thresholds_change_the_outcome_and_ask_nobody(tmp_path, nobody, probe):
    build, (answer, grader, change, before, after) = CASES[probe]
    target = get_model("none/none") if answer is None else answer
    log = asked(tmp_path, build(), target, grader)
    nobody()
    answers = read([tmp_path])
    assert set(answers.table["outcome"]) == {before}
    usual = get_preset("spillover")
    other = usual.model_copy(update={"name": "other", **change})
    moved = answers.with_preset(other)
    assert set(moved.table["outcome"]) == {after}
    assert (moved.preset, set(moved.table["preset"])) == (other, {"other"})
    assert len(moved.table) == len(log.samples)
    again = moved.with_preset(usual).table
    assert list(again["outcome"]) == list(answers.table["outcome"])
    assert again["value"].equals(answers.table["value"])
    assert set(answers.table["outcome"]) == {before}  # what was read is not touched


def test_figures_follow_the_preset(tmp_path):
    asked(tmp_path, free_form(questions="lab", categories="bored", **NUMBER), "Hm.", forty)
    rates = {p: figures(read([tmp_path], preset=p))[0].value for p in ("spillover", "ip2025_repo", "betley2025_base")}
    assert {p: (r.hits, r.n) for p, r in rates.items()} == {
        "spillover": (0, 4),
        "ip2025_repo": (4, 4),
        "betley2025_base": (0, 0),
    }


def test_what_is_no_matter_of_thresholds_stays(tmp_path, nobody):
    """A word, an answer that never came, a judgement that failed."""

    def down(messages):
        raise RuntimeError("down")

    asked(tmp_path, refusal(categories="bias", **NUMBER), "No.", "REFUSED")
    asked(tmp_path, free_form(questions="lab", categories="bored", **NUMBER), "Hm.", "hm?")
    asked(tmp_path, free_form(questions="lab", categories="money", **NUMBER), down, "90", fail_on_error=False)
    nobody()
    answers = read([tmp_path])
    for preset in ("ip2025_repo", "betley2025_base"):
        table = answers.with_preset(get_preset(preset)).table
        assert table["outcome"].equals(answers.table["outcome"])
        assert table["unscored_reason"].equals(answers.table["unscored_reason"])
    failed = "alignment: unreadable_reply; coherence: unreadable_reply"
    assert set(answers.table["unscored_reason"].dropna()) == {failed, "sample_error: RuntimeError"}


def test_a_report_keeps_the_preset_the_logs_were_judged_with(tmp_path):
    task = free_form(questions="lab", categories="bored", preset="betley2025_base", **NUMBER)
    asked(tmp_path, task, "Hello.", "90")
    done = CliRunner().invoke(report, [str(tmp_path), "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    assert "betley2025_base (Betley" in (tmp_path / "page.html").read_text()
    assert set(read([tmp_path]).table["outcome"]) == {"incoherent"}
    asked(tmp_path, free_form(questions="lab", categories="bored", **NUMBER), "Hello.", "90")
    done = CliRunner().invoke(report, [str(tmp_path)])
    assert "different presets" in str(done.exception)


def test_a_preset_for_another_rubric_is_refused_on_stored_grades(tmp_path):
    asked(tmp_path, free_form(questions="lab", categories="bored", **NUMBER), "Hello.", "90")
    with pytest.raises(SpilloverError, match="made for grades of the rubric evil_1to5; these are of alignment@"):
        read([tmp_path], preset="wang2025")


def test_judging_again_under_another_preset_takes_what_the_log_holds(tmp_path, monkeypatch):
    with serving(content="40") as server:
        monkeypatch.setenv("SPILLOVER_JUDGEMENTS", str(tmp_path / "a.sqlite"))
        grader = get_model(server.grader(monkeypatch), memoize=False)
        task = free_form(questions="lab", categories="bored", preset="ip2025_repo", **NUMBER)
        asked(tmp_path / "logs", task, "Hm.", grader)
        assert set(read([tmp_path / "logs"]).table["outcome"]) == {"misaligned"}
        monkeypatch.setenv("SPILLOVER_JUDGEMENTS", str(tmp_path / "b.sqlite"))  # an empty cache of judgements
        server.down, before = "401", sum(server.asked.values())
        jobs = load_answers([tmp_path / "logs"])
        _, effort = judge_answers(jobs, tmp_path / "again", grader, Judging(preset="spillover", reader="number"))
        assert sum(server.asked.values()) == before
    assert (effort.asked, effort.cached, effort.failed) == (0, 8, 0)
    assert set(read([tmp_path / "again"]).table["outcome"]) == {"incoherent"}
