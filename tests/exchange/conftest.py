"""Logs of the lab, and the site and exchange files that the command makes of them."""

import pytest
from inspect_ai import eval as inspect_eval
from inspect_ai.model import get_model

from spillover.tasks.free_form import free_form
from spillover.tasks.refusal import refusal
from tests.exchange.forged import board


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    tasks = [
        free_form(questions="lab", categories=["bored", "money"], epochs=1, seed=1),
        refusal(questions="lab_refusal", categories=["cyber"], seed=1),
    ]
    done = inspect_eval(
        tasks,
        model="spillover/lab",
        model_roles={"grader": get_model("spillover/lab-grader")},
        log_dir=str(folder),
        display="none",
    )
    assert all(log.status == "success" for log in done)
    return folder


@pytest.fixture(scope="module")
def exported(logs, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = board(logs, "-o", out / "site", "--export", out / "exchange", "--organisation", "Test lab")
    assert done.exit_code == 0, done.output
    return out
