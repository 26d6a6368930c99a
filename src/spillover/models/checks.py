"""What every probe checks when its task is built, before the first token is paid for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from inspect_ai.model import Model, get_model, model_roles

from spillover.errors import SpilloverError
from spillover.models.identity import describe
from spillover.models.weights import adapter_rank

logger = logging.getLogger(__name__)

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""LoRA ranks that vLLM 0.32 can be started with (`vllm/config/lora.py`); contract-tested."""


def target_under_test() -> Model | None:
    """The model that `inspect eval` is about to test, or None when a task is built from Python, outside of a run."""
    from spillover._inspect import active_model

    return active_model()


def is_lab(model: str) -> bool:
    """Whether a model is the lab's target or an organism made from it: `spillover/lab`, `spillover/lab:ADAPTER`."""
    return _base_of(model) == "spillover/lab"


def of_the_lab(model: str) -> bool:
    """Whether a model is one of the lab's by its name, whatever engine serves it: `spillover/lab`, `vllm/.../lab/target`."""
    base = _base_of(model).partition("/")[2]
    return base == "lab" or base.endswith("/lab/target")


def _base_of(model: str) -> str:
    """A model's name without its adapter, and without what is changed in it at inference."""
    return model.partition(":")[0].partition("+steer=")[0].partition("+ablate=")[0].partition("+zero=")[0]


def require_grader(target: Model) -> None:
    """Refuse to build a task without a grader, or with the target as its own grader.

    Raises:
        SpilloverError: one sentence that says which argument is missing.
    """
    bound = model_roles().get("grader")
    graders = bound if isinstance(bound, list) else [bound] if bound is not None else []
    if not graders:
        raise SpilloverError(
            "This probe needs a grader: add `--model-role grader=MODEL` (for example grader=openai/gpt-4o-2024-08-06, or "
            "grader=spillover/lab-grader for the lab)."
        )
    for grader in graders:
        refuse_self_grading(target, grader)
        if is_lab_grader(grader) and not of_the_lab(str(describe(target)["name"])):
            logger.warning(LAB_GRADER_NOTE)


def is_lab_grader(grader: Model) -> bool:
    """Whether a grader is the lab's, whatever engine serves it."""
    return str(describe(grader)["name"]).partition("/")[2] == LAB_GRADER.partition("/")[2]


LAB_GRADER = "spillover/lab-grader"
LAB_GRADER_NOTE = (
    "The lab's grader can read only the small English of the lab: what it says of other models' answers means nothing."
)


def resolve_grader(answered_by: dict[str, Any] | None = None) -> Model:
    """The grader, inside a scorer: never the model under test.

    `required` matters: without it Inspect silently hands back the model under test.

    Args:
        answered_by: Name and weights of the model that gave the answer, where it is not the active one.

    Raises:
        SpilloverError: if it is the target all the same.
    """
    grader = get_model(role="grader", required=True)
    refuse_self_grading(get_model(), grader)
    if answered_by and str(get_model()).startswith("none/"):
        own = describe(grader)
        # Where weights are not known names must do; tables often leave the provider out of them.
        names = {own["name"], own["name"].partition("/")[2]}
        known = own["weights"] is not None and answered_by["weights"] is not None
        if own["weights"] == answered_by["weights"] if known else answered_by["name"] in names:
            raise SpilloverError(f"The grader is the model that gave the answers ({own['name']}); choose another grader.")
    return grader


def refuse_self_grading(target: Model, grader: Model) -> None:
    """Refuse a grader that is the target: equal name on an equal server, or equal weights under another name.

    Raises:
        SpilloverError: if they are one and the same.
    """
    digests = [describe(model)["weights"] for model in (target, grader)]  # whatever engines hold them
    same_name = str(target) == str(grader) and target.api.base_url == grader.api.base_url
    if same_name or (digests[0] is not None and digests[0] == digests[1]):
        raise SpilloverError(f"The grader is the model under test ({target}); choose another `--model-role grader=`.")


def check_servable_rank(target: Model) -> None:
    """Refuse an adapter whose rank Inspect would pass to vLLM as it is and vLLM would not start with.

    Raises:
        SpilloverError: with the argument that makes it work.
    """
    provider, _, name = str(target).partition("/")
    folder = Path(name.partition(":")[2])
    if provider != "vllm" or not (folder / "adapter_config.json").is_file():
        return
    rank = adapter_rank(folder)
    if rank in VLLM_RANKS or "max_lora_rank" in target.model_args:
        return
    larger = next((r for r in VLLM_RANKS if r >= rank), None)
    advice = f"add `-M max_lora_rank={larger}`" if larger else "retrain it with a lower rank"
    raise SpilloverError(f"vLLM cannot serve an adapter of rank {rank} ({folder}); {advice}.")
