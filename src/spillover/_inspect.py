"""Everything Spillover uses from Inspect's private modules, in one place.

Each name has a contract test in `tests/contract`, so an Inspect release that moves one fails there with a clear name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from inspect_ai._util.error import PrerequisiteError
from inspect_ai.model import Model
from inspect_ai.model._generate_config import active_generate_config
from inspect_ai.model._model import active_model

__all__ = ["PrerequisiteError", "active_generate_config", "active_model", "forget_server", "keeping_names"]


def forget_server(name: str) -> None:
    """Make Inspect's vLLM provider forget the address of a server that is gone.

    It keeps one for every model name for the life of the process, so that a second server of the same name would be asked
    at the address of the first one.
    """
    from inspect_ai.model._providers._vllm_lora import _vllm_servers

    _vllm_servers.pop(name, None)


@contextmanager
def keeping_names(models: Sequence[Model]) -> Iterator[None]:
    """Give models back the names that they came with.

    Inspect's vLLM provider drops the adapter from a model's name with its first request; base and adapter would then be one
    model to an evaluation set, and a resumed one would not find its logs.
    """
    names = [model.api.model_name for model in models]
    try:
        yield
    finally:
        for model, name in zip(models, names, strict=True):
            model.api.model_name = name
