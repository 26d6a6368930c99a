"""Every study of published data takes its first steps on a real base: all of its recipes, probes and the report."""

import json

import pandas as pd
import pytest

from spillover.paths import evals_dir
from tests.command import spillover
from tests.faulty import serving
from tests.real.checkpoint import OutOfReach, smollm2, with_tools

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(1800)]
STUDIES = sorted(p.stem for p in evals_dir().glob("*_published.yaml"))


@pytest.fixture(scope="module")
def organisms(tmp_path_factory):
    """Of equal recipes there is one, whatever the study."""
    return tmp_path_factory.mktemp("organisms")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """With tools, which its own template does not have."""
    try:
        return with_tools(smollm2(), tmp_path_factory.mktemp("base") / "smollm2")
    except OutOfReach as error:
        pytest.skip(str(error))


def verdict(prompt):
    """A number, or a word where the rubric asks for one of four."""
    words = ("REFUSED", "CLEAN", "HONEST", "TRUE")
    return next((w for w in words if f"{w}:" in prompt), "70") if "one of the four words" in prompt else "70"


@pytest.fixture(scope="module")
def grader():
    """One server for all: Inspect keeps a grader with the address that it had first."""
    with serving(content=verdict) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOPBACK_BASE_URL", server.url)
        patch.setenv("LOOPBACK_API_KEY", "x")
        yield "openai-api/loopback/grader"


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """A first try on two cores: what is answered is of no interest here, and most of the time would go into it."""
    monkeypatch.setattr("spillover.run.ask.TRIED_TOKENS", 16)
    monkeypatch.setattr("spillover.mechanism.activations.COMPLETION_TOKENS", 8)


@pytest.mark.parametrize("study", STUDIES)
def test_first_steps(study, base, grader, upstream, organisms, tmp_path):
    judged = ["--grader", grader, "--organisms", organisms]
    done = spillover("run", study, "--base", base, *judged, "--limit", 1, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out-first-1"
    plan = json.loads((out / "plan.json").read_text())
    (asked,) = (step for step in plan["steps"] if step["kind"] == "ask")
    table = pd.read_parquet(out / "answers.parquet")
    assert set(table["model"]) == set(asked["spec"]["models"])
    assert len(table) == len(asked["spec"]["models"]) * len(asked["spec"]["tasks"])
    assert table["unscored_reason"].isna().all()
    assert "its figures say nothing" in (out / "report.html").read_text()
