"""Arguments of models on the command line, and servers that nobody else may talk to."""

import pytest

from spillover.cli import models
from spillover.cli.models import open_models, parse_arguments
from spillover.errors import SpilloverError
from spillover.models.identity import arguments_of
from tests.command import spillover


def test_values_are_read_as_yaml():
    given = parse_arguments(["dtype=bfloat16", "max_batch=8", "flag=true", "devices=[0, 1]", "empty="])
    assert given == {"dtype": "bfloat16", "max_batch": 8, "flag": True, "devices": [0, 1], "empty": ""}


@pytest.mark.parametrize("pair", ["dtype", "=x", "a b=1", "x=[1"])
def test_what_is_no_argument_is_refused(pair):
    with pytest.raises(SpilloverError, match="Cannot use the argument"):
        parse_arguments([pair])
    with pytest.raises(SpilloverError, match="each key once"):
        parse_arguments(["a=1", "a=2"])


@pytest.fixture
def opened(monkeypatch):
    """What Inspect would be asked for."""
    seen = []
    monkeypatch.setattr(models, "get_model", lambda name, config, **given: seen.append((name, given)) or name)
    monkeypatch.delenv("VLLM_BASE_URL", raising=False)
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    return seen


def adapter(folder, rank):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(f'{{"r": {rank}}}')
    return folder


def test_a_server_of_our_own_listens_to_us_alone(opened, tmp_path, monkeypatch):
    """On loopback, with a key that is not known, and with the rank that the adapter needs; base and adapter share it."""
    place = adapter(tmp_path / "a", 4)
    monkeypatch.setattr("spillover.cli.models.find_spec", lambda name: name)
    open_models(["vllm/some/base", f"vllm/some/base:{place}"], ["max_model_len=2048"])
    (_, base), (_, tuned) = opened
    assert base == tuned
    assert (base["host"], base["max_lora_rank"], base["max_model_len"]) == ("127.0.0.1", 8, 2048)
    assert len(base["api_key"]) == 32
    opened.clear()
    open_models(["vllm/some/base"])
    assert opened[0][1] == {"host": "127.0.0.1", "api_key": base["api_key"]}


def test_a_server_that_is_there_is_left_as_it_is(opened, monkeypatch):
    open_models(["vllm/some/base"], ["base_url=http://host/v1"])
    open_models(["vllm/some/base"], ["port=8001", "host=0.0.0.0"])
    open_models(["openai/gpt-4o"], ["temperature=1"])
    monkeypatch.setenv("VLLM_BASE_URL", "http://host/v1")
    open_models(["vllm/some/base"])
    assert [given for _, given in opened] == [
        {"base_url": "http://host/v1"},
        {"port": 8001, "host": "0.0.0.0"},
        {"temperature": 1},
        {},
    ]


def test_what_can_change_an_answer_is_told_from_where_it_runs():
    (model,) = open_models(["spillover/lab"], ["dtype=bfloat16", "max_batch=3"])
    assert arguments_of(model) == {"dtype": "bfloat16"}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["eval", "spillover/lab", "-M", "colour=red"], "Unknown model argument 'colour'"),
        (["eval", "spillover/lab", "-M", "colour"], "write KEY=VALUE"),
        (["screen", "spillover/lab", "--base", "spillover/lab-grader", "--lab", "-M", "colour=red"], "argument 'colour'"),
        (["screen", "lab:x", "--engine", "vllm", "--grader", "lab-grader", "-G", "a=1"], "starts its own servers"),
        (["judge", "nothing.csv", "--grader", "nobody/x"], "no file at nothing.csv"),
    ],
)
def test_bad_arguments_end_with_one_sentence(args, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = spillover(*args)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_tokenizer_is_no_token():
    (model,) = open_models(["mockllm/model"], ["tokenizer=a", "access_token=secret"])
    assert arguments_of(model) == {"tokenizer": "a"}


def test_without_vllm_it_says_what_to_install(monkeypatch):
    monkeypatch.delenv("VLLM_BASE_URL", raising=False)
    monkeypatch.setattr("spillover.cli.models.find_spec", lambda name: None)
    with pytest.raises(SpilloverError, match=r"pip install 'spillover\[vllm\]'"):
        open_models(["vllm/some/base"])
