"""Answers for tests: rows made up by hand, and small evaluations with mock models."""

from inspect_ai import eval as inspect_eval
from inspect_ai.model import Model

from spillover.answers.read import Answers
from spillover.answers.table import tidy
from tests.fakes import model, says


def answer(question, outcome, value=None, **tags):
    """One row of a table, as far as measures look at it."""
    return {"question_id": question, "outcome": outcome, "value": value, **{f"tag.{k}": v for k, v in tags.items()}}


def rows(*answers):
    """A typed table of rows."""
    return tidy(list(answers))


def answers_of(given, **fields):
    """`Answers` of one model to one probe, from rows."""
    usual = {"model": "m", "model_id": "m", "probe": "free_form", "question_set": "s", "format": "plain", "run": "r"}
    return Answers(tidy([{**usual, **fields, **row} for row in given]))


def asked(folder, task, target, grader="unused", name="target", **more):
    """The log of one evaluation; what target and grader say may be a text, a function of the messages, or a model.

    Logs of one second come in no particular order: Inspect names them by second and a random id.
    """
    (log,) = inspect_eval(
        task,
        model=_as_model(target, name),
        model_roles={"grader": _as_model(grader, "grader")},
        log_dir=str(folder),
        display="none",
        **more,
    )
    assert log.status == "success", log.error.message
    return log


def _as_model(given, name):
    if isinstance(given, Model):
        return given
    return says(given, name) if isinstance(given, str) else model(given, name)
