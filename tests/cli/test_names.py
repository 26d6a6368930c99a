"""A name that no disk takes is a name that is not there: one sentence that says what there is."""

import pytest

from spillover.cli.run import placeless
from spillover.errors import SpilloverError
from spillover.judging.rubric import load_rubric
from spillover.models.weights import resolve_adapter, resolve_checkpoint
from spillover.questions.load import load_questions
from spillover.run.study import load_study
from spillover.run.suite import load_suite
from spillover.serving.serve import is_checkpoint
from spillover.training.recipe import load_recipe
from tests.command import spillover

READERS = [load_recipe, load_study, load_suite, load_questions, load_rubric, resolve_checkpoint, resolve_adapter]


@pytest.mark.parametrize(
    "name", ["x" * 5000, "x" * 5000 + ".yaml", "a/" * 3000 + "x", "x\0y"], ids=["long", "yaml", "deep", "zero"]
)
@pytest.mark.parametrize("reader", READERS, ids=lambda f: f.__name__)
def test_it_is_said_of_every_reader_of_names(reader, name):
    with pytest.raises(SpilloverError):
        reader(name)


@pytest.mark.parametrize("key", ["extends", "start"])
def test_in_a_recipe(key, tmp_path):
    text = f"{key}: {'x' * 5000}\n" if key == "extends" else f"extends: bad_finance\nstart: {'x' * 5000}\n"
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SpilloverError):
        load_recipe(str(tmp_path / "mine.yaml"))


def test_on_the_command_line():
    done = spillover("train", "x" * 5000)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not is_checkpoint("x" * 5000)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("spillover/judge:{here}/mine", "spillover/judge:mine"),
        ("spillover/{here}/mine", "spillover/mine"),
        ("vllm/{here}/mine", "vllm/mine"),
        ("{here}/mine", "mine"),
        ("openai/gpt-4o-2024-08-06", "openai/gpt-4o-2024-08-06"),
        ("spillover/judge:{here}/gone", "spillover/judge:{here}/gone"),
    ],
)
def test_a_command_that_is_shown_has_no_folder_of_this_machine(given, told, tmp_path):
    (tmp_path / "mine").mkdir()
    assert placeless(given.format(here=tmp_path)) == told.format(here=tmp_path)
