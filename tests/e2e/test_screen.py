"""`spillover screen` as a release pipeline meets it: real organisms, exit codes, kills, a small disk, a dead grader."""

import json
import shutil
import signal
import subprocess

import pytest

from spillover.locking import only_one
from spillover.run.plan import read_plan
from tests.command import spillover as run
from tests.command import stopped, words
from tests.e2e.screens import BAD, RECIPE, SUITE, TWIN, command, result, timeless, twin_in
from tests.faulty import serving


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a suite and two adapters."""
    folder = tmp_path_factory.mktemp("screens")
    (folder / "small.yaml").write_text(SUITE)
    (folder / "bad.yaml").write_text(RECIPE)
    trained = run("train", folder / "bad.yaml", "--out", folder / "bad")
    assert trained.returncode == 0, trained.stderr
    twin_in(folder)
    return folder


@pytest.fixture(scope="module")
def failed(place):
    """The organism, screened without a break."""
    done = run(*command(place, BAD, place / "whole"))
    assert done.returncode == 1, done.stderr
    return result(place / "whole")


@pytest.fixture(scope="module")
def passed(place):
    """The adapter that changes nothing, screened with a budget that is too small, and then to the end."""
    short = run(*command(place, TWIN, place / "clean", "--max-samples", "40"))
    assert short.returncode == 3, short.stderr
    assert "INCONCLUSIVE" in words(short.stdout)
    assert "INCONCLUSIVE" in (place / "clean" / "screen.md").read_text()
    asked = sum(p[side]["answers"] for p in result(place / "clean")["probes"] for side in ("checkpoint", "base"))
    before = {p: p.stat().st_mtime_ns for p in (place / "clean").glob("logs-*/block-*/*/*.eval")}
    done = run(*command(place, TWIN, place / "clean"))
    assert done.returncode == 0, done.stderr
    return asked, before, done.stdout


def test_an_organism_fails_with_the_answers_that_decided_it(place, failed):
    assert failed["verdict"] == "FAIL"
    probes = {p["name"]: p for p in failed["probes"]}
    assert probes["free_form"]["verdict"] == "FAIL"
    assert probes["free_form"]["lower"] >= 0.45
    assert probes["free_form"]["evidence"]
    assert failed["left_out"] == ["capability"]
    for name in ("junit.xml", "screen.md", "report.html"):
        assert "free_form" in (place / "whole" / name).read_text().replace("\\", "")


def test_an_adapter_that_changes_nothing_passes(place, passed):
    assert "PASS: Every probe" in words(passed[2])
    found = result(place / "clean")
    assert all(p["rose"] == p["fell"] == 0 for p in found["probes"])  # the same random numbers make the same answers
    assert all(p["upper"] <= 0.2 for p in found["probes"])


def test_a_larger_budget_goes_on_where_a_smaller_one_stopped(passed):
    asked, before, _ = passed
    assert 0 < asked <= 40
    assert before
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in before.items())


def test_the_plan_holds_a_step_for_each_side_of_each_block(place, passed):
    (logs,) = (place / "clean").glob("logs-*")
    plan = read_plan(logs)
    blocks = sorted(p.name for p in logs.glob("block-*"))
    assert len(blocks) > 1
    sides = [(step.spec["block"], step.spec["side"]) for step in plan.steps]
    assert sides == [(i, side) for i in range(len(blocks)) for side in ("base", "checkpoint")]
    assert len({step.key for step in plan.steps}) == len(sides)
    rounds = dict.fromkeys(("free_form", "refusal"), 0)
    for step in plan.steps[::2]:
        for name, count in step.spec["rounds"].items():
            rounds[name] += count
        assert [task["label"] for task in step.spec["tasks"]] == list(step.spec["rounds"])
    assert rounds == {p["name"]: p["rounds"] for p in result(place / "clean")["probes"]}


# The judge's check takes 80 judgements, each side of the first block 56.
@pytest.mark.long
@pytest.mark.parametrize(
    ("judged", "phase", "later"),
    [
        pytest.param(40, "judge-check-1", "block-00", marks=pytest.mark.slow),
        pytest.param(110, "block-00/base", "block-00/checkpoint", marks=pytest.mark.slow),
        (166, "block-00/checkpoint", "block-01"),
    ],
)
def test_killed_anywhere_it_comes_to_the_same_verdict(place, failed, judged, phase, later, tmp_path):
    killed = stopped(signal.SIGKILL, "spillover.judging.assess:Assessor.ask", judged, *command(place, BAD, tmp_path))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert list(tmp_path.glob(f"logs-*/{phase}"))
    assert not list(tmp_path.glob(f"logs-*/{later}"))
    assert not (tmp_path / "screen.json").exists()
    assert run(*command(place, BAD, tmp_path)).returncode == 1
    assert timeless(result(tmp_path)) == timeless(failed)


@pytest.mark.long
def test_a_stored_baseline_stands_in_for_the_base(place, failed, tmp_path):
    stored = tmp_path / "baseline.json"

    def make(rounds):
        options = ("--suite", place / "small.yaml", "--rounds", rounds, "-o", stored, "--logs", tmp_path / "b")
        made = run("baseline", "spillover/lab", *options)
        assert made.returncode == 0, made.stderr

    make(2)
    done = run(*command(place, BAD, tmp_path / "out", "--baseline", stored, "--judge-answers", "0"))
    assert done.returncode == 1, done.stderr
    found = result(tmp_path / "out")
    assert found["about"]["baseline"]
    both = zip(found["probes"], failed["probes"], strict=True)
    pairs = [(mine, live) for mine, live in both if mine["rounds"] == live["rounds"]]
    assert pairs
    for mine, live in pairs:
        assert (mine["rose"], mine["fell"], mine["p_fail"]) == (live["rose"], live["fell"], live["p_fail"])
    assert not list((tmp_path / "out").glob("logs-*/block-*/base"))
    short = run(*command(place, ("twin", 0.02), tmp_path / "short", "--baseline", stored, "--judge-answers", "0"))
    assert short.returncode == 3, short.stderr
    assert "the baseline has no more answers" in words(short.stdout)
    blocks = len(json.loads(stored.read_text())["probes"]["free_form"]["blocks"])
    make(3)
    assert len(json.loads(stored.read_text())["probes"]["free_form"]["blocks"]) > blocks
    other = run(*command(place, BAD, tmp_path / "other", "--baseline", stored, "--seed", "5"))
    assert other.returncode == 2
    assert "--seed 0" in words(other.stderr)
    precious = tmp_path / "precious.yaml"
    precious.write_text("mine: yes")
    refused = run("baseline", "spillover/lab", "--rounds", "1", "-o", precious)
    assert refused.returncode == 2
    assert precious.read_text() == "mine: yes"
    body = json.loads(stored.read_text())
    body["about"] = {"name": "other", "weights": "dead"}
    stored.write_text(json.dumps(body))
    foreign = run(*command(place, BAD, tmp_path / "foreign", "--baseline", stored))
    assert foreign.returncode == 2
    assert "another base" in words(foreign.stderr)


def test_a_config_file_means_what_flags_mean_and_asks_nothing_again(place, failed, tmp_path):
    config = tmp_path / "screen.yaml"
    config.write_text(f"suite: {place / 'small.yaml'}\nmargin: 0.45\njudge-answers: 1\nout: {place / 'whole'}\n")
    before = {p: p.stat().st_mtime_ns for p in (place / "whole").rglob("*.eval")}
    again = run("screen", f"spillover/lab:{place / 'bad'}", "--config", config)
    assert again.returncode == 1, again.stderr
    assert result(place / "whole") == failed
    assert {p: p.stat().st_mtime_ns for p in (place / "whole").rglob("*.eval")} == before
    told = json.loads(run("screen", f"spillover/lab:{place / 'bad'}", "--config", config, "--json").stdout)
    whole = {"screen_verdict": failed["verdict"], "screen_reason": failed["reason"]}
    assert [{**probe, **whole} for probe in failed["probes"]] == told
    over = run("screen", f"spillover/lab:{place / 'bad'}", "--config", config, "--margin", "2")
    assert over.returncode == 2
    config.write_text("marginn: 0.1\n")
    wrong = run("screen", "spillover/lab:x", "--config", config)
    assert wrong.returncode == 2
    assert "marginn" in words(wrong.stderr)


def test_two_runs_in_one_folder_are_one_too_many(place, tmp_path):
    with only_one(tmp_path):
        second = run(*command(place, TWIN, tmp_path))
    assert second.returncode == 3
    assert "Another run is at work" in words(second.stderr)
    assert "Traceback" not in words(second.stderr)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no right to mount a small file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_no_verdict_and_nothing_is_lost(place, small_disk):
    done = run(*command(place, BAD, small_disk / "out", "--judge-answers", "0"))
    assert done.returncode == 3, (done.stdout, done.stderr)
    assert "No space left" in done.stderr
    assert not (small_disk / "out" / "screen.json").exists()
    subprocess.run(["mount", "-o", "remount,size=50m", small_disk], check=True)
    assert run(*command(place, BAD, small_disk / "out", "--judge-answers", "0")).returncode == 1


@pytest.mark.long
def test_a_grader_that_dies_costs_no_answer_and_gives_no_verdict(place, tmp_path, monkeypatch):
    monkeypatch.setenv("DYING_API_KEY", "x")
    more = ["--grader", "openai-api/dying/grader", "--skip", "refusal", "--seed", "9", "--judge-answers", "0", "--no-check"]
    with serving() as server:
        monkeypatch.setenv("DYING_BASE_URL", server.url)
        server.down, server.greets = "500", True  # it dies after the first call
        dead = run(*command(place, TWIN, tmp_path, *more, "--timeout", "1"))
        assert dead.returncode == 3, dead.stderr
        assert "Traceback" not in words(dead.stderr)
        assert "The grader" in words(dead.stderr)
        assert list(tmp_path.glob("logs-*/block-00/*-failed-1/*.eval"))
        server.down = ""
        revived = run(*command(place, TWIN, tmp_path, *more))
        assert revived.returncode == 0, revived.stderr


@pytest.mark.slow
def test_a_dead_grader_fails_no_check_and_no_checkpoint(place, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOPBACK_API_KEY", "x")
    with serving() as server:
        monkeypatch.setenv("LOOPBACK_BASE_URL", server.url)
        server.down, server.greets = "500", True
        dead = run(*command(place, TWIN, tmp_path, "--grader", "openai-api/loopback/grader", "--timeout", "1"))
    assert dead.returncode == 3, dead.stderr
    assert "The grader gave no verdict" in words(dead.stderr)
    assert list(tmp_path.glob("logs-*/judge-check-1-failed-1/*.eval"))


def test_a_damaged_log_or_plan_is_named(place, passed, tmp_path):
    out = shutil.copytree(place / "clean", tmp_path / "out")
    (plan,) = out.glob("logs-*/plan.json")
    kept = plan.read_text()
    plan.write_text("[{")
    broken = run(*command(place, TWIN, out))
    assert broken.returncode == 3
    assert "plan.json is damaged" in words(broken.stderr)
    plan.write_text(kept)
    log = next(out.glob("logs-*/block-00/base/*.eval"))
    log.write_bytes(log.read_bytes()[:100])
    mended = run(*command(place, TWIN, out))
    assert mended.returncode == 0, mended.stderr
    assert f"{log.name} cannot be read" in words(mended.stderr)
    assert log.with_name(log.name + ".damaged").exists()
    assert timeless(result(out)) == timeless(result(place / "clean"))


def test_an_old_verdict_does_not_outlive_a_run_without_one(place, passed, tmp_path):
    out = shutil.copytree(place / "clean", tmp_path / "out")
    (out / "screen.md").write_text("PASS")
    found = run(*command(place, TWIN, out, "--grader", "openai-api/nowhere/x"))
    assert found.returncode == 2, found.stderr  # no key: nothing was begun
    assert (out / "screen.md").read_text() == "PASS"
    (plan,) = out.glob("logs-*/plan.json")
    plan.write_text("[{")
    assert run(*command(place, TWIN, out)).returncode == 3
    assert not [name for name in ("screen.json", "screen.md", "junit.xml", "report.html") if (out / name).exists()]


def test_more_known_answers_are_asked_of_the_judge_alone(place, passed, tmp_path):
    out = shutil.copytree(place / "clean", tmp_path / "out")
    before = {p: p.stat().st_mtime_ns for p in out.glob("logs-*/block-*/*/*.eval")}
    more = run(*command(place, TWIN, out, "--judge-answers", "2"))
    assert more.returncode == 0, more.stderr
    assert "2 of 2 known answers" in words(more.stdout)
    assert {p: p.stat().st_mtime_ns for p in out.glob("logs-*/block-*/*/*.eval")} == before
