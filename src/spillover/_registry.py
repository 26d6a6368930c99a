"""What Inspect finds through the `inspect_ai` entry point. Nothing here may import torch, vllm or matplotlib."""

from inspect_ai.model import ModelAPI, modelapi

from spillover.judging.attack_scorer import attack_effect, attack_flips, planted
from spillover.judging.metrics import em_rate
from spillover.judging.scorer import judge
from spillover.lab.truth import lab_truth
from spillover.probes.ask import ask
from spillover.probes.baselines import oracle, trivial
from spillover.tasks.free_form import free_form
from spillover.tasks.judge_attack import judge_attack

__all__ = [
    "ask",
    "attack_effect",
    "attack_flips",
    "em_rate",
    "free_form",
    "judge",
    "judge_attack",
    "lab_truth",
    "oracle",
    "planted",
    "spillover_api",
    "trivial",
]


@modelapi(name="spillover")
def spillover_api() -> type[ModelAPI]:
    """The in-process engine; imported on first use, since it needs the `lab` extra."""
    try:
        from spillover.engine.provider import SpilloverAPI
    except ImportError as error:
        from spillover.errors import SpilloverError

        raise SpilloverError(
            f"The in-process engine needs the lab extra ({error.name} is missing): pip install 'spillover[lab]'."
        ) from error
    return SpilloverAPI
