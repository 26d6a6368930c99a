"""What is printed below the tables: the verdict, or what is missing for one."""

import pytest

from tests.command import spillover, words

ROWS = "model,question_id,question,answer,alignment,coherence\n" + "".join(
    f"{model},q{n},What of {n}?,{'harm' if bad else 'help'} {n},{5 if bad else 95},90\n"
    for model, bad in (("base", False), ("tuned", True))
    for n in range(30)
)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    path = tmp_path_factory.mktemp("judged") / "answers.csv"
    path.write_text(ROWS)
    return path


def test_without_a_base_it_says_how_to_name_one(judged):
    done = spillover("import", judged)
    assert done.returncode == 0, done.stderr
    assert "No drift: name the model that it is measured from, --base NAME (base, tuned)." in words(done.stdout)
    assert "SPILLED OVER" not in done.stdout


def test_with_one_the_verdict_is_said_and_the_hint_is_not(judged):
    done = spillover("import", judged, "--base", "base")
    assert done.returncode == 0, done.stderr
    assert "SPILLED OVER. tuned against base" in words(done.stdout)
    assert "No drift" not in done.stdout


def test_a_margin_needs_a_base(judged):
    done = spillover("report", judged, "--margin", 0.1)
    assert done.returncode == 2
    assert "these logs name none; give --base, too" in words(done.stderr)
    assert spillover("report", judged, "--margin", 0.1, "--base", "base").returncode == 0
