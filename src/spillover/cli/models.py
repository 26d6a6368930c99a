"""Models by Inspect's names, with their arguments; servers that Inspect starts for us are closed to others."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import yaml
from inspect_ai.model import GenerateConfig, Model, get_model

from spillover.engine.fit import require_named_fit
from spillover.errors import SpilloverError
from spillover.models.checks import VLLM_RANKS
from spillover.models.weights import ALIASES, adapter_rank
from spillover.redaction import register
from spillover.serving.applied import require_applied, served_pairs

model_option = click.option(
    "-M", "--model-arg", multiple=True, metavar="KEY=VALUE", help="Argument of the models under test, as Inspect takes it."
)
grader_option = click.option(
    "-G", "--grader-arg", multiple=True, metavar="KEY=VALUE", help="Argument of the grader, such as base_url=http://host/v1."
)


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """`["dtype=bfloat16", "max_batch=8"]` with values as YAML reads them.

    Raises:
        SpilloverError: for what is no KEY=VALUE, or a key that is given twice.
    """
    out: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        register(key, value)
        if not sign or not key.isidentifier() or key in out:
            raise SpilloverError(f"Cannot use the argument '{key}'; write KEY=VALUE, each key once.")
        try:
            out[key] = yaml.safe_load(value) if value else ""
        except yaml.YAMLError as error:
            raise SpilloverError(f"Cannot use the argument '{key}': its value is no YAML.") from error
        for name, text in leaves(key, out[key]):
            register(name, text)
    return out


def leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Texts in a mapping, each under its own key; those of headers count as keys, whatever the header is called."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(f"{key}_key" if "header" in name.lower() else str(key), inner)
    elif isinstance(value, str):
        yield name, value
        if name.endswith("_key") and " " in value:  # `Token sk-...`
            yield name, value.rpartition(" ")[2]


def open_models(
    names: Sequence[str], pairs: Sequence[str] = (), config: GenerateConfig | None = None, ask: bool = True, **more: Any
) -> list[Model]:
    """Models of one base share a server, so they get the same arguments.

    Args:
        names: Inspect's names, or `lab` and `lab-grader`.
        pairs: KEY=VALUE, for all of them.
        config: For all of them.
        ask: Whether servers are asked if they use their adapters.
        **more: Arguments that options of their own gave.

    Raises:
        SpilloverError: for an argument that is none, an adapter that does not fit or makes no difference on the server, or a
            model that Inspect cannot reach.
    """
    names = [f"spillover/{name}" if name in ALIASES else name for name in names]
    if any(_starts_vllm(name, more, pairs) for name in names) and find_spec("vllm") is None:
        raise SpilloverError("vLLM is not installed here: pip install 'spillover[vllm]', or give -M base_url= of a server.")
    for key, value in more.items():
        register(key, str(value))
    given = parse_arguments(pairs) | {k: v for k, v in more.items() if v is not None}
    for name in names:
        require_named_fit(name)
    opened: list[Model] = []
    try:
        for name in names:
            more_of_it = {**_closed(name, names, given), **given}
            opened.append(get_model(name, config=config or GenerateConfig(), **more_of_it))
    except (ValueError, TypeError) as error:  # an unknown provider, or an argument that it does not take
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown and unknown[1] in given:
            provider = names[len(opened)].partition("/")[0]
            raise SpilloverError(
                f"{provider}/ takes no argument '{unknown[1]}'; see its provider in Inspect's documentation."
            ) from error
        raise SpilloverError(f"This is no model that Inspect can reach: {error}") from error
    there = bool({"base_url", "port"} & set(given)) or bool(os.environ.get("VLLM_BASE_URL"))
    for base, name in served_pairs(names, there) if ask else ():
        require_applied(base, name, **given)
    return opened


def _starts_vllm(name: str, more: dict[str, Any], pairs: Sequence[str]) -> bool:
    there = bool(more.get("base_url")) or any(p.startswith(("base_url=", "port=")) for p in pairs)
    return name.startswith("vllm/") and not there and not os.environ.get("VLLM_BASE_URL")


def _closed(name: str, names: Sequence[str], given: dict[str, Any]) -> dict[str, Any]:
    """Arguments for a server that Inspect would start on every interface, with a key that anybody knows."""
    if not name.startswith("vllm/") or {"base_url", "port"} & set(given) or os.environ.get("VLLM_BASE_URL"):
        return {}
    base = name.partition(":")[0]
    adapters = [Path(other.partition(":")[2]) for other in names if other.partition(":")[0] == base]
    ranks = [adapter_rank(a) for a in adapters if (a / "adapter_config.json").is_file()]
    fits = next((r for r in VLLM_RANKS if r >= max(ranks)), None) if ranks else None
    key = {} if os.environ.get("VLLM_API_KEY") else {"api_key": _key()}
    return {"host": "127.0.0.1", **key, **({"max_lora_rank": fits} if fits else {})}


@cache
def _key() -> str:
    return secrets.token_hex(16)
