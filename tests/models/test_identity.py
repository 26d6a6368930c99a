"""Who a model is does not depend on the engine that holds it: weights are spelled in one way, and no model grades itself."""

import json
import shutil
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from inspect_ai.model import get_model

from spillover.errors import SpilloverError
from spillover.models.checks import refuse_self_grading
from spillover.models.identity import arguments_of, cache_identity, describe
from spillover.models.weights import model_digest, resolve_checkpoint, weights_digest
from spillover.screening.served import serve_pair
from spillover.serving.vllm import Server

LAB, GRADER = resolve_checkpoint("lab"), resolve_checkpoint("lab-grader")
SERVER = "http://127.0.0.1:8000/v1"


class Served:
    """A model of a server, as far as anybody asks who it is: Inspect would start vLLM for a real one."""

    def __init__(self, name, url=SERVER):
        self.name, self.model_args = name, {}
        self.api = SimpleNamespace(base_url=url)
        self.config = get_model("mockllm/model").config

    def __str__(self):
        return self.name


def adapter_at(folder, rank=8):
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}))
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture(autouse=True)
def any_adapter_fits(monkeypatch):
    """These are no real ones."""
    for module in ("engine.provider", "screening.served"):
        monkeypatch.setattr(f"spillover.{module}.require_fit", lambda base, adapter: None)


@pytest.fixture
def adapter(tmp_path):
    return adapter_at(tmp_path / "organism")


def ours(base="lab", adapter=None):
    return get_model(f"spillover/{base}" + (f":{adapter}" if adapter else ""), memoize=False)


def theirs(base=LAB, adapter=None, url=SERVER):
    return Served(f"vllm/{base}" + (f":{adapter}" if adapter else ""), url)


def test_weights_are_spelled_alike_on_every_engine(adapter):
    """Base and adapter: a served model's digest is the in-process engine's, and the adapter's stands behind a plus."""
    assert describe(theirs()) == {"name": f"vllm/{LAB}", "weights": ours().api.digest}
    found = describe(theirs(adapter=adapter))["weights"]
    assert found == describe(ours(adapter=adapter))["weights"] == ours(adapter=adapter).api.digest
    assert found == model_digest(LAB, adapter) == f"{weights_digest(LAB)}+{weights_digest(adapter)}"
    assert cache_identity(theirs(adapter=adapter)) == cache_identity(ours(adapter=adapter))  # one cache of judgements


def test_other_bytes_are_other_weights(adapter, tmp_path):
    other = adapter_at(tmp_path / "other", rank=16)
    copied = shutil.copytree(adapter, tmp_path / "copy")
    models = [theirs(), theirs(GRADER), theirs(adapter=adapter), theirs(GRADER, adapter), theirs(adapter=other)]
    assert len({describe(m)["weights"] for m in models}) == len(models)
    assert describe(theirs(adapter=copied))["weights"] == describe(theirs(adapter=adapter))["weights"]


@pytest.mark.parametrize("name", ["vllm/some/repository", f"vllm/{LAB}:/nowhere", "openai/gpt-4o", f"vllm/nowhere:{LAB}"])
def test_weights_out_of_reach_are_unknown(name):
    """Half of what is served would name other weights."""
    assert describe(Served(name)) == {"name": name, "weights": None}


def test_no_model_grades_itself_on_another_engine(adapter, tmp_path):
    copied = shutil.copytree(adapter, tmp_path / "copy")
    for target, grader in (
        (theirs(adapter=adapter), ours(adapter=adapter)),
        (ours(adapter=adapter), theirs(adapter=copied)),
        (theirs(), ours()),
        (theirs(adapter=adapter), theirs(adapter=copied, url="http://127.0.0.1:9000/v1")),
    ):
        with pytest.raises(SpilloverError, match="The grader is the model under test"):
            refuse_self_grading(target, grader)
    for target, grader in (
        (theirs(adapter=adapter), ours()),  # its base is another model
        (theirs(), ours("lab-grader")),
        (theirs(adapter=adapter), theirs(adapter=adapter_at(tmp_path / "other", rank=16))),
    ):
        refuse_self_grading(target, grader)


def test_names_count_where_weights_are_unknown():
    one = Served("vllm/some/repository")
    with pytest.raises(SpilloverError, match="The grader is the model under test"):
        refuse_self_grading(one, Served("vllm/some/repository"))
    refuse_self_grading(one, Served("vllm/some/repository", "http://127.0.0.1:9000/v1"))
    refuse_self_grading(one, Served("vllm/another/repository"))


def test_a_served_pair_is_who_the_in_process_engine_says(adapter, tmp_path, monkeypatch):
    """The names that our servers give hide the folders; what is told instead is spelled as everywhere, and once for all.

    So a grader's judgements are known again from a server at another address.
    """
    ports = iter(range(8000, 8010))

    @contextmanager
    def no_server(checkpoint, log, *args, **options):
        yield Server(f"http://127.0.0.1:{next(ports)}/v1", f"vllm/{checkpoint.name}", "key", 0)

    monkeypatch.setattr("spillover.serving.vllm.start", no_server)
    monkeypatch.setattr("spillover.serving.serve.get_model", lambda name, base_url, api_key: Served(name, base_url))
    mine = [ours(adapter=adapter), ours(), ours("lab-grader")]
    for _ in range(2):
        with serve_pair(f"lab:{adapter}", "lab", "spillover/lab-grader", tmp_path) as pair:
            models = [pair.checkpoint, pair.base, pair.grader]
        assert [describe(m)["weights"] for m in models] == [describe(m)["weights"] for m in mine]
        assert [describe(m)["name"] for m in models] == [f"vllm/lab:{adapter.resolve()}", "vllm/lab", "vllm/lab-grader"]
        assert [cache_identity(m) for m in models] == [cache_identity(m) for m in mine]


def test_the_number_type_is_part_of_who_a_model_is():
    """Whether it was named or chosen; float32 is what a server means, too."""
    who = [cache_identity(get_model("spillover/lab", memoize=False, **given)) for given in ({}, {"dtype": "float32"})]
    assert who[0] == who[1] != cache_identity(get_model("spillover/lab", memoize=False, dtype="bfloat16"))


def test_a_setting_with_token_in_its_name_is_part_of_who_a_model_is():
    """And a key is not."""
    given = ({"pad_token_id": n, "api_key": f"key {n}"} for n in (1, 2))
    one, other = (SimpleNamespace(model_args=g, api=None) for g in given)
    assert arguments_of(one) == {"pad_token_id": "1"}
    assert arguments_of(one) != arguments_of(other)
