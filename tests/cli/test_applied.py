"""A server that somebody else started must use the adapter that it is asked for."""

import pytest
from click.testing import CliRunner
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import get_model

from spillover.cli.models import open_models
from spillover.cli.screen import screen
from spillover.errors import SpilloverError
from spillover.run.ask import ask_all
from tests.loopback import silent, vllm


def test_an_adapter_that_makes_no_difference_is_refused():
    with vllm(lambda model: -0.5) as where, pytest.raises(SpilloverError, match="the adapter is not in use"):
        open_models(["vllm/base", "vllm/base:mine"], where)


def test_a_server_that_is_named_by_its_port_is_asked_too():
    with vllm(lambda model: -0.5) as (where, _), pytest.raises(SpilloverError, match="the adapter is not in use"):
        open_models(["vllm/base:mine"], [f"port={where.rpartition(':')[2].removesuffix('/v1')}", "api_key=x"])


def test_two_names_of_one_openai_compatible_server_must_differ():
    """Such a server gives an adapter a name of its own."""
    names = ["openai-api/somewhere/base", "openai-api/somewhere/mine"]
    with vllm(lambda model: -0.5) as where, pytest.raises(SpilloverError, match="answers as openai-api/somewhere/mine what"):
        open_models(names, where)
    with vllm(lambda model: -0.5 if model == "base" else -0.6) as where:
        assert len(open_models(names, where)) == 2
    with vllm(lambda model: -0.5) as where:
        assert len(open_models([names[0], names[0], "openai-api/elsewhere/mine"], where)) == 3


def test_one_that_does_is_opened():
    with vllm(lambda model: -0.5 if model == "base" else -0.51) as where:
        assert len(open_models(["vllm/base", "vllm/base:mine"], where)) == 2


def test_a_server_that_does_not_repeat_itself_is_measured_by_that():
    """In few bits the same question has other digits the second time."""
    drawn = iter([-0.5, -0.51, -0.52, -0.5, -0.9, -0.51])
    with vllm(lambda model: next(drawn)) as where:
        with pytest.raises(SpilloverError, match="the adapter is not in use"):
            open_models(["vllm/base:mine"], where)  # 0.01 from the base, which is 0.02 from itself
        assert open_models(["vllm/base:mine"], where)


def test_a_server_with_other_words_for_the_base_each_time_is_believed(monkeypatch):
    """Batches of a hosted model change its words, and say nothing of the adapter."""
    said = iter(["I am", "He is", "She was", "I am", "No", "I am"])
    monkeypatch.setattr("spillover.serving.applied._positions", lambda output: [(next(said), -0.5)])
    with vllm(lambda model: -0.5) as where:
        assert len(open_models(["openai-api/s/base", "openai-api/s/mine"], where)) == 2
        assert (
            len(open_models(["openai-api/s/base", "openai-api/s/mine"], where)) == 2
        )  # the base repeats itself, other words


def test_a_dry_run_asks_no_server():
    asked = []
    with vllm(lambda model: asked.append(model) or -0.5) as where:
        arguments = [word for pair in where for word in ("-M", pair)]
        given = ["openai-api/s/mine", "--base", "openai-api/s/base", "--lab", "--dry-run", *arguments]
        done = CliRunner().invoke(screen, given)
        assert done.exit_code == 0, done.output
    assert asked == []


def test_a_server_without_log_probabilities_is_believed():
    with vllm(lambda model: -0.5, logprobs=False) as where:
        assert len(open_models(["vllm/base:mine"], where)) == 1


def test_base_and_adapter_are_two_models_after_the_first_call_too_and_are_found_again(tmp_path):
    """Inspect's provider drops an adapter from a model's name with its first request."""
    with vllm(lambda model: -0.5 if model == "base" else -0.6) as where:
        for _ in range(2):
            models = open_models(["vllm/base", "vllm/base:mine"], where)
            task = Task(dataset=[Sample(input="Who are you?")], name="anything")
            ask_all([task], models, get_model("mockllm/model"), tmp_path, "", silent)
            assert [str(m) for m in models] == ["vllm/base", "vllm/base:mine"]
        found = [read_eval_log(str(path), header_only=True).eval.model for path in tmp_path.glob("*.eval")]
    assert sorted(found) == ["vllm/base", "vllm/base:mine"]
