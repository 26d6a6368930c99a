"""What a screen costs: said before, and never more than was allowed."""

import json

import pytest

from tests.command import spillover as run
from tests.command import words
from tests.e2e.screens import SUITE, TWIN, command, result, twin_in


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a suite and an adapter that changes nothing."""
    folder = tmp_path_factory.mktemp("screens")
    (folder / "small.yaml").write_text(SUITE)
    twin_in(folder)
    return folder


def test_a_dry_run_says_what_it_costs_and_asks_nothing(place, tmp_path):
    prices = ["--price", f"spillover/lab:{place / 'twin'}=1/2", "--price", "spillover/lab=1/2"]
    prices += ["--price", "spillover/lab-grader=1/2"]
    found = run(*command(place, TWIN, tmp_path / "out", "--dry-run", *prices))
    assert found.returncode == 0, found.stderr
    assert "about $" in words(found.stdout)
    assert "free_form" in words(found.stdout)
    assert "too small" not in words(found.stdout)
    assert not (tmp_path / "out").exists()
    *each, total = json.loads(run(*command(place, TWIN, tmp_path / "out", "--dry-run", *prices, "--json")).stdout)
    assert total["name"] == "in all"
    assert total["clean"] == sum(row["clean"] for row in each)
    assert f"about ${total['dollars']:.2f}" in words(found.stdout)
    *_, judged = json.loads(
        run(*command(place, TWIN, tmp_path / "out", "--dry-run", "--price", "spillover/lab-grader=1/2", "--json")).stdout
    )
    assert 0 < judged["dollars"] < total["dollars"]  # the lab's models run here
    small = run(*command(place, TWIN, tmp_path / "out", "--dry-run", *prices, "--max-samples", "20"))
    assert "That budget is too small for any PASS" in words(small.stdout)


def test_a_budget_in_dollars_stops_it(place, tmp_path):
    prices = [f"spillover/lab:{place / 'twin'}", "spillover/lab", "spillover/lab-grader"]
    more = [x for name in prices for x in ("--price", f"{name}=1000/1000")]
    alone = run(*command(place, TWIN, tmp_path, "--max-cost", "1", *more[:2]))
    assert alone.returncode == 2
    assert "add --price 'spillover/lab=INPUT/OUTPUT'" in words(alone.stderr)
    none = run(*command(place, TWIN, tmp_path, "--max-cost", "1", "--price", "gpt=1/1"))
    assert none.returncode == 2
    assert "No model of this screen is called 'gpt'" in words(none.stderr)
    found = run(*command(place, TWIN, tmp_path, "--max-cost", "1", *more, "--judge-answers", "0"))
    assert found.returncode == 3, found.stderr
    assert "budget in dollars" in words(found.stdout)
    assert not result(tmp_path)["cost_usd"]  # the first block may cost more, so it is not asked
