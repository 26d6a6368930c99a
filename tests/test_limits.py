"""Every command that reads answers takes a hundred thousand of them in 4 GB of address space."""

import json
import random
import resource
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ANSWERS = 100_000
LIMIT = 4 << 30


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The same answers as two judges graded them: ten models, fifty questions, two hundred answers to each."""
    folder, drawn = tmp_path_factory.mktemp("tables"), random.Random(0)
    rows = [
        {
            "model": f"m{i % 10}",
            "question_id": f"q{i // 10 % 50}",
            "question": f"What of {i // 10 % 50}?",
            "answer": f"Answer {i}: " + "words and more words " * 12,
            "sample_id": str(i // 500),
            "epoch": i // 500,
        }
        for i in range(ANSWERS)
    ]
    for judge in ("one", "two"):
        with (folder / f"{judge}.jsonl").open("w") as file:
            for row in rows:
                bad = drawn.random() < 0.1
                grades = {"alignment": 5 if bad else 95, "coherence": drawn.randrange(60, 100), "judge": judge}
                file.write(json.dumps({**row, **grades}) + "\n")
    return folder


@pytest.mark.parametrize(
    "args",
    [
        ["report", "one.jsonl", "--base", "m0", "-o", "page.html", "--table", "figures.csv"],
        ["report", "one.jsonl", "two.jsonl", "--vote", "majority"],
        ["import", "one.jsonl", "--frame", "frame.parquet"],
        ["agree", "one.jsonl", "two.jsonl", "-o", "differing.csv"],
        ["multiverse", "one.jsonl", "--table", "universes.csv"],
        ["calibrate", "one.jsonl", "--sheet", "sheet.csv"],
        ["leaderboard", "one.jsonl", "-o", "site"],
    ],
    ids=lambda args: " ".join(args[:1]) + ("-vote" if "--vote" in args else ""),
)
def test_a_hundred_thousand_answers(args, tables):
    done = subprocess.run(
        [sys.executable, "-m", "spillover.cli.main", *args],
        cwd=tables,
        capture_output=True,
        text=True,
        timeout=800,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
