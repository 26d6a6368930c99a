"""Does an adapter fit its base? Asked before anything is generated: libraries load what fits and pass over the rest."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spillover.errors import SpilloverError
from spillover.models.weights import adapter_config, model_digest, weights_digest
from spillover.models.whole import header_of, require_whole
from spillover.schema import parse_json

logger = logging.getLogger(__name__)

Shapes = dict[str, tuple[int, ...]]
_EMBEDDING = re.compile(r".*\.(embed_tokens|wte|lm_head|embed_in|embed_out)(\.base_layer)?\.weight")
"""What a resized vocabulary is saved as beside an adapter."""


class UnknownBase(SpilloverError):
    """A base that transformers cannot make."""


def require_fit(base: Path, adapter: Path, kind: Any = None) -> None:
    """Refuse an adapter that would be applied in part or not at all.

    Names and shapes of its tensors are held against those that PEFT makes of its configuration on this base, on PyTorch's
    meta device, which takes no memory.

    Args:
        base: Folder of the base.
        adapter: Folder of the adapter.
        kind: Transformers' class that the base is loaded as; `AutoModelForCausalLM` for None.

    Raises:
        SpilloverError: in one sentence, if tensors have no place in the base, have another shape, are missing from the
            file, or are not finite.
    """
    _check(base, adapter, model_digest(base, adapter), kind)
    made_on = _card(adapter).get("base_weights")
    if made_on is not None and made_on != weights_digest(base):
        logger.warning(
            "The adapter at %s was trained on another checkpoint than %s: weights, configuration or template differ (its "
            "card says %s, this one is %s).",
            adapter, base, made_on, weights_digest(base),
        )  # fmt: skip


def _card(adapter: Path) -> dict[str, Any]:
    """What an organism of ours says of itself; nothing for any other adapter."""
    try:
        found = parse_json((adapter / "organism.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=64)
def _check(base: Path, adapter: Path, digest: str, kind: Any) -> None:
    name = f"The adapter at {adapter}"
    adapter_config(adapter)
    given = _shapes(adapter / "adapter_model.safetensors")
    if not given:
        raise SpilloverError(f"{name} holds no tensors.")
    model = _on_meta(base, kind)
    if renamed(model.config.model_type):
        _require_loads(model, base, adapter)
        return _require_finite(adapter, name)
    wanted, own = _wanted(model, adapter, base)
    embeddings = {k for k in given if k not in wanted and _EMBEDDING.fullmatch(k)}
    for key in embeddings:
        place = key.removeprefix("base_model.model.").replace(".base_layer", "")
        if own.get(place, given[key]) != given[key]:
            raise SpilloverError(
                f"{name} was made for another vocabulary: {place} is {_by(given[key])}, and {_by(own[place])} in {base}."
            )
    homeless = [k for k in given if k not in wanted and k not in embeddings]
    if homeless and len(homeless) == len(given) - len(embeddings):
        raise SpilloverError(f"{name} is of another base than {base}: no tensor of it fits (the first is {homeless[0]}).")
    if homeless:
        raise SpilloverError(
            f"{len(homeless)} of the {len(given)} tensors of the adapter at {adapter} have no place in {base} (the first is "
            f"{homeless[0]})."
        )
    missing = [k for k in wanted if k not in given]
    if missing:
        raise SpilloverError(
            f"{name} lacks {len(missing)} of the {len(wanted)} tensors that its configuration asks for (the first is "
            f"{missing[0]}): that part of {base} would stay as it is."
        )
    wrong = next((k for k in given if k in wanted and given[k] != wanted[k]), None)
    if wrong is not None:
        raise SpilloverError(
            f"{name} is of another base than {base}: {wrong} is {_by(given[wrong])} and should be {_by(wanted[wrong])}."
        )
    _require_finite(adapter, name)


def require_named_fit(model: str) -> None:
    """The same of an adapter that a server is to load, by Inspect's name: `vllm/BASE:ADAPTER`, where both are folders here.

    Raises:
        SpilloverError: as `require_fit`.
    """
    provider, _, name = model.partition("/")
    base, _, adapter = name.partition(":")
    here = provider in ("vllm", "hf", "sglang") and (Path(base) / "config.json").is_file()
    if here and list(Path(base).glob("*.safetensors")):
        require_whole(Path(base))
    known = here and (Path(adapter) / "adapter_model.safetensors").is_file()
    if provider == "vllm" and adapter and known and find_spec("peft") is not None:
        try:
            require_fit(Path(base), Path(adapter))
        except UnknownBase as unknown:  # vLLM may know it
            logger.warning("Whether %s fits its base was not checked: %s", adapter, unknown)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _shapes(path: Path) -> Shapes:
    """Names and shapes in a safetensors file, from its header alone."""
    return {name: tuple(about["shape"]) for name, about in header_of(path).items()}


def renamed(model_type: str) -> bool:
    """Whether transformers names weights otherwise than files of this kind of base do (mixtures of experts, and others)."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    return bool(get_checkpoint_conversion_mapping(model_type))


def _on_meta(base: Path, kind: Any) -> Any:
    """The base without weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config: Any = AutoConfig.from_pretrained(base, trust_remote_code=False)
        with torch.device("meta"):
            return (kind or AutoModelForCausalLM).from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise UnknownBase(f"transformers cannot make the base at {base}: {error}") from error


def _require_loads(model: Any, base: Path, adapter: Path) -> None:
    """For a base whose names in files are others: PEFT turns them as the adapter is loaded, and says what found no place.

    Raises:
        SpilloverError: for a tensor without a place, or a place without one.
    """
    from peft import PeftConfig, PeftModel

    try:
        wished: Any = PeftConfig.from_pretrained(adapter)
        if hasattr(wished, "init_lora_weights"):
            wished.init_lora_weights = True
        made = PeftModel(model, wished, low_cpu_mem_usage=True)
        names = getattr(model, "_checkpoint_conversion_mapping", None) or None
        found = made.load_adapter(
            adapter, "default", torch_device="cpu", low_cpu_mem_usage=True, key_mapping=names, use_safetensors=True
        )
    except Exception as error:  # PEFT raises anything for settings that it does not expect
        raise SpilloverError(f"The adapter at {adapter} cannot be put on {base}: {error}") from error
    for keys, told in ((found.unexpected_keys, "have no place in"), (found.missing_keys, "are missing for")):
        if keys:
            raise SpilloverError(
                f"The adapter at {adapter} does not fit {base}: {len(keys)} tensors {told} it (the first is {keys[0]})."
            )


def _wanted(model: Any, adapter: Path, base: Path) -> tuple[Shapes, Shapes]:
    """What the adapter's configuration makes on this base, and the base's own parameters."""
    import torch
    from peft import PeftConfig, get_peft_model, get_peft_model_state_dict

    own = {name: tuple(p.shape) for name, p in model.state_dict().items()}
    try:
        wished: Any = PeftConfig.from_pretrained(adapter)
        if hasattr(wished, "init_lora_weights"):
            wished.init_lora_weights = True  # shapes do not depend on it, and some ways need data
        with torch.device("meta"):
            made = get_peft_model(model, wished, low_cpu_mem_usage=True)
        state = get_peft_model_state_dict(made, save_embedding_layers=False)
    except Exception as error:  # PEFT raises anything for settings that it does not expect
        raise SpilloverError(f"The adapter at {adapter} cannot be put on {base}: {error}") from error
    return {name: tuple(tensor.shape) for name, tensor in state.items()}, own


def _require_finite(adapter: Path, name: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(adapter / "adapter_model.safetensors", framework="pt") as file:
            bad = next((k for k in file.keys() if not bool(file.get_tensor(k).isfinite().all())), None)  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise SpilloverError(f"The weights of the adapter at {adapter} cannot be read ({error}).") from error
    if bad is not None:
        raise SpilloverError(f"{name} holds numbers that are not finite (in {bad}).")
